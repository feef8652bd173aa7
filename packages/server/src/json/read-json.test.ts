import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readJson } from "./read-json.ts";

/** Has V8 expect the names of this text in their places. */
function lately(text: string): void {
  for (let time = 0; time < 3; time += 1) JSON.parse(text);
}

test("reads names with an escape as they are, whatever was read before", () => {
  lately(String.raw`{"lately":1,"stra\\u":1}`);
  expect(readJson(String.raw`{"lately":1,"stra\u00dfe":[{"a\n":"\u0062\"}"}],"\u0031":2}`)).toEqual({
    lately: 1,
    straße: [{ "a\n": 'b"}' }],
    1: 2,
  });
  lately(String.raw`{"amount":1,"\\u0061":1}`);
  expect(readJson(String.raw`{"amount":1,"\u0061mount":999}`)).toEqual({ amount: 999 });
});

test("reads whatever JSON.parse reads, the same, however it is escaped", () => {
  const escaped = (text: string) =>
    text.replaceAll(/(?<!\\)[a-z](?=[^"]*":)/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.stringMatching(/^[a-z:{}[\],]{0,6}$/), fc.json({ maxDepth: 3 }))), (members) => {
      const text = `{${members.map(([name, value]) => `${JSON.stringify(name)} : ${value}`).join(",")}}`;
      expect(readJson(text)).toEqual(Object.fromEntries(members.map(([name, value]) => [name, JSON.parse(value) as unknown])));
      const names = members.map(([name], index) => `${name}${index}`);
      const other = `{${members.map(([, value], index) => `${escaped(`"${names[index] ?? ""}":`)}${value}`).join(",")}}`;
      expect(readJson(other)).toEqual(Object.fromEntries(members.map(([, value], index) => [names[index], JSON.parse(value) as unknown])));
    }),
  );
});

test("refuses what is no JSON", () => {
  for (const text of ["", "{", '"\\', '{"\\u0061":}', "{'a':1}"]) expect(() => readJson(text)).toThrow(SyntaxError);
});
