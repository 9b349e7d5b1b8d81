import type { Command } from 'commander';
import { DEFAULT_NODE_BUDGET, LARGEST_NODE_BUDGET } from '../../prove/bdd/bdd.ts';
import { wholeNumber } from './add-options.ts';

/** `--node-budget`, for every command that proves something. */
export interface BudgetFlag {
  nodeBudget?: number;
}

/** The flags of a comparison. */
export interface ComparisonFlags extends BudgetFlag {
  limit: number;
}

const DEFAULT_LIMIT = 32;
export const MOST_WITNESSES = 4096;

export function addComparisonOptions<C extends Command>(command: C): C {
  return addBudgetOption(command).option(
    '--limit <N>',
    'lines to print, and calls in each of them; witnesses with --json',
    wholeNumber(1, MOST_WITNESSES),
    DEFAULT_LIMIT,
  );
}

export function addBudgetOption<C extends Command>(command: C): C {
  return command.option(
    '--node-budget <N>',
    `nodes that a decision diagram may have (default: ${DEFAULT_NODE_BUDGET})`,
    wholeNumber(1, LARGEST_NODE_BUDGET),
  );
}
