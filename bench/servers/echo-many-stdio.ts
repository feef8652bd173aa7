/** The echo server over stdio among two hundred tools. */
process.env["BENCH_TOOLS"] = "200";
await import("./echo-stdio.ts");
