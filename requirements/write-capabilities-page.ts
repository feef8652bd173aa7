import { writeFileSync } from "node:fs";
import { capabilitiesPage, renderCapabilities } from "./capabilities-page.ts";
import { allCitations } from "./citations.ts";
import { requirements } from "./requirements.ts";

writeFileSync(capabilitiesPage, renderCapabilities(requirements, allCitations()));
