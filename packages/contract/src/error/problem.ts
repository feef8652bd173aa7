import { z } from "zod";

/** How an error looks over HTTP: RFC 9457 `application/problem+json`, with our closed `code` and what is wrong where. */
export const problemSchema = z.object({
  /** `about:blank#<code>`: there is no page behind it; `code` says the same. */
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  issues: z.array(z.object({ message: z.string(), pointer: z.string().optional(), file: z.string().optional(), line: z.int().optional() })),
  /** Under which the server's log has it. */
  requestId: z.string(),
});
export type Problem = z.infer<typeof problemSchema>;
