import { readFileSync, writeFileSync } from "node:fs";
import { metricsTable } from "@remit/server/testing";

/** Puts the table of metrics into docs/telemetry.md, between its two marks. */
const file = new URL("../docs/telemetry.md", import.meta.url);
const page = readFileSync(file, "utf8");
const [before = "", rest = ""] = page.split("<!-- metrics -->");
const [, after = ""] = rest.split("<!-- /metrics -->");
writeFileSync(file, `${before}<!-- metrics -->\n\n${metricsTable()}\n\n<!-- /metrics -->${after}`);
