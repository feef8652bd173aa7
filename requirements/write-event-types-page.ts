import { writeFileSync } from "node:fs";
import { eventTypesPage, renderEventTypes } from "./event-types-page.ts";

writeFileSync(eventTypesPage, renderEventTypes());
