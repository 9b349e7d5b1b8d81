import { describe, expect, it } from 'vitest';
import { preferredType } from '../../src/serve/http-request.ts';

const JSON_TYPE = 'application/json';
const RAW_TYPE = 'application/octet-stream';

describe('the type of an answer', () => {
  it.each([
    [undefined, JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/json', JSON_TYPE],
    ['application/octet-stream', RAW_TYPE],
    ['Application/Octet-Stream', RAW_TYPE],
    ['application/octet-stream, */*', RAW_TYPE],
    ['application/json, application/octet-stream', JSON_TYPE],
    ['application/json;q=0.5, application/octet-stream', RAW_TYPE],
    ['application/octet-stream;q=0.1, application/*', JSON_TYPE],
    ['application/json;q=0, */*', RAW_TYPE],
    ['text/html, application/*;q=0.2', JSON_TYPE],
  ])('is what Accept prefers: %s', (accept, type) => {
    expect(preferredType(accept)).toBe(type);
  });

  it.each(['text/html', 'application/json;q=0', 'application/octet-stream;q=nonsense', ''])(
    'is refused when there is none that is accepted: "%s"',
    (accept) => {
      expect(() => preferredType(accept)).toThrow(/ANSWER_TYPE/);
    },
  );
});
