/** One thing that doctor looked at. */
export type Finding = { check: string; ok: boolean; message: string; fix: string | null };
