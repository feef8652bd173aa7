import {
  agentAbilitiesSchema,
  nameSchema,
  policyExplanationSchema,
  policyFindingSchema,
  policyQuestionSchema,
  policyTestReportSchema,
  registryFilesSchema,
} from "@remit/contract";
import { z } from "zod";
import { requireActor } from "../http/doorkeeper.ts";
import type { App } from "../http/http-app.ts";
import type { RegistrySource } from "../registry/registry-source.ts";
import { registryOfFiles } from "./policy-workbench.ts";
import type { PolicyWorkbench } from "./policy-workbench.ts";

/** Room for 5 MB of files and their quotes in JSON. */
const filesLimit = 6 * 1024 * 1024;

/** Questions about policy. Files are checked with what is accepted of the tools in force; nothing is started or changed. */
export function registerPolicyRoutes(app: App, deps: { registry: RegistrySource; workbench: PolicyWorkbench }): void {
  const { registry, workbench } = deps;

  app.post(
    "/v1/policy/explain",
    {
      schema: {
        summary: "Why a call would be decided as it would",
        body: policyQuestionSchema,
        response: { 200: policyExplanationSchema },
      },
    },
    async (request) => {
      await requireActor(request);
      return workbench.explain(registry.current(), request.body);
    },
  );

  app.post(
    "/v1/policy/can",
    {
      schema: {
        summary: "What an agent can do",
        body: z.strictObject({ agent: nameSchema, policy: nameSchema.optional() }),
        response: { 200: agentAbilitiesSchema },
      },
    },
    async (request) => {
      await requireActor(request);
      return workbench.can(registry.current(), request.body.agent, { policy: request.body.policy });
    },
  );

  app.post(
    "/v1/policy/lint",
    {
      bodyLimit: filesLimit,
      schema: {
        summary: "What is wrong or doubtful about the policies of these files",
        body: registryFilesSchema,
        response: { 200: z.object({ findings: z.array(policyFindingSchema) }) },
      },
    },
    async (request) => {
      await requireActor(request, { role: ["admin", "operator"] });
      const candidate = registryOfFiles(request.body.files, registry.current());
      return { findings: await workbench.lint(candidate.registry) };
    },
  );

  app.post(
    "/v1/policy/test",
    {
      bodyLimit: filesLimit,
      schema: {
        summary: "Run the tests beside the policies of these files",
        body: registryFilesSchema,
        response: { 200: policyTestReportSchema },
      },
    },
    async (request) => {
      await requireActor(request, { role: ["admin", "operator"] });
      const candidate = registryOfFiles(request.body.files, registry.current());
      return workbench.test(candidate.registry, candidate.policyTests);
    },
  );
}
