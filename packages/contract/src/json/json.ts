/** A JSON value as `JSON.parse` returns it. Everything that is digested, decided on or recorded is one of these. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A JSON object. */
export type JsonObject = { [key: string]: Json };
