import { z } from "zod";

export const queueSchema = z.looseObject({ name: z.string() });
export const itemSchema = z.looseObject({ id: z.string(), subject: z.string(), state: z.string().optional() });
