import type { McpServer } from "@modelcontextprotocol/server";
import type { Pool } from "pg";
import { z } from "zod";
import { answer, answering } from "./answer.ts";

export const citationSchema = z.object({ articleId: z.string(), title: z.string(), url: z.string(), quote: z.string() });
const articleSchema = z.object({ articleId: z.string(), title: z.string(), body: z.string() });

export function registerKnowledgeTools(server: McpServer, pool: Pool): void {
  server.registerTool(
    "kb.search",
    {
      description: "Searches the knowledge base. Returns the best articles, and a citation with a quote for each.",
      inputSchema: z.strictObject({ query: z.string().min(1).max(400), limit: z.int().min(1).max(10).optional().describe("Default 3") }),
      outputSchema: z.object({ articles: z.array(articleSchema), citations: z.array(citationSchema) }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ query, limit }) =>
      answering(async () => {
        // Any word may match, in English by its stem and in every language by its keyword (`simple`);
        // at least one must match in the title or the keywords (weight A), or everything would match something.
        const found = await pool.query<z.infer<typeof articleSchema> & z.infer<typeof citationSchema>>(
          `WITH word AS (
             SELECT DISTINCT quote_literal(lexeme) AS word
             FROM unnest(tsvector_to_array(to_tsvector('english', $1)) || tsvector_to_array(to_tsvector('simple', $1))) AS lexeme
           ), asked AS (
             SELECT string_agg(word, ' | ')::tsquery AS "any", string_agg(word || ':A', ' | ')::tsquery AS named FROM word
           )
           SELECT id AS "articleId", title, url, body,
                  ts_headline('english', body, asked."any", 'MaxFragments=1, MinWords=12, MaxWords=32, StartSel="", StopSel=""') AS quote
           FROM kb_article, asked WHERE search @@ asked.named
           ORDER BY ts_rank('{0.1, 0.2, 0.3, 1.0}', search, asked."any") DESC, id LIMIT $2`,
          [query, limit ?? 3],
        );
        return answer(
          {
            articles: found.rows.map(({ articleId, title, body }) => ({ articleId, title, body })),
            citations: found.rows.map(({ articleId, title, url, quote }) => ({ articleId, title, url, quote })),
          },
          found.rows.map((article) => `${article.articleId} ${article.title}\n${article.body}`).join("\n\n") || "No article answers that.",
        );
      }),
  );
}
