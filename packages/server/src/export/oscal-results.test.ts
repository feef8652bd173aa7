import { randomUUID } from "node:crypto";
import { bundleFormat } from "@remit/contract";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { oscalResults } from "./oscal-results.ts";

const uuid = { type: "string", pattern: "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[45][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$" };
const time = { type: "string", pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:\\d\\d)$" };
const text = { type: "string", pattern: "^\\S(?:.*\\S)?$" };
const token = { type: "string", pattern: "^[A-Za-z_][A-Za-z0-9_.-]*$" };
const uri = { type: "string", minLength: 1 };
const list = (items: object) => ({ type: "array", minItems: 1, items });
const only = (required: string[], properties: object) => ({ type: "object", required, properties, additionalProperties: false });

const prop = only(["name", "value"], { name: token, uuid, ns: uri, value: text, class: token, remarks: { type: "string" } });
const props = list(prop);

/**
 * What we use of OSCAL 1.1.2's assessment results, written from its documented model: members that are not named here are not in the model or
 * not used by us. It is not the schema that NIST publishes; the same results hold under NIST's own of 1.1.2, 1.1.3 and 1.2.1, tried by hand.
 */
const schema = only(["assessment-results"], {
  "assessment-results": only(["uuid", "metadata", "import-ap", "results"], {
    uuid,
    metadata: only(["title", "last-modified", "version", "oscal-version"], {
      title: { type: "string" },
      "last-modified": time,
      version: text,
      "oscal-version": text,
      props,
    }),
    "import-ap": only(["href"], { href: uri, remarks: { type: "string" } }),
    results: list(
      only(["uuid", "title", "description", "start", "reviewed-controls"], {
        uuid,
        title: { type: "string" },
        description: { type: "string" },
        start: time,
        end: time,
        "reviewed-controls": only(["control-selections"], {
          "control-selections": list(only([], { description: { type: "string" }, "include-all": only([], {}) })),
        }),
        observations: list(
          only(["uuid", "description", "methods", "collected"], {
            uuid,
            title: { type: "string" },
            description: { type: "string" },
            props,
            methods: list({ enum: ["EXAMINE", "INTERVIEW", "TEST", "UNKNOWN"] }),
            types: list(token),
            "relevant-evidence": list(only(["description"], { href: uri, description: { type: "string" } })),
            collected: time,
          }),
        ),
      }),
    ),
  }),
});

test("[AUD-13] what was seen is told as OSCAL assessment results", () => {
  const results = oscalResults(
    {
      format: bundleFormat,
      origin: "remit.local/ledger",
      population: { first: 3, last: 9, count: 7, treeSize: 12, root: "AAAA", firstCheckpoint: 5, lastCheckpoint: 12 },
      asked: { from: null, to: null },
      exportedAt: "2026-11-21T10:00:00.000Z",
      exportedBy: "party:olga",
      payloads: "open",
      proof: { left: [], right: [] },
      since: null,
    },
    {
      types: new Map([
        ["remit.run-started", 2],
        ["remit.action-denied", 5],
      ]),
      payloads: new Map([["open", 3]]),
      gaps: 0,
    },
    randomUUID,
  );
  const validate = new Ajv({ allErrors: true }).compile(schema);
  validate(results);
  expect(validate.errors).toBeNull();
  const said = JSON.stringify(results);
  for (const words of ["Entries 3 to 9", "5 entries of the type remit.action-denied", "3 open", "1.1.2"]) expect(said).toContain(words);
  const uuids = [...said.matchAll(/"uuid":"([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(uuids).size).toBe(uuids.length);
  // The schema refuses something.
  expect(validate({ "assessment-results": { uuid: "x" } })).toBe(false);
});
