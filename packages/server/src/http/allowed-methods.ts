/** Which methods an address takes, learnt from the routes as they are registered: the router itself answers 404 for a wrong method. */
export function createAllowedMethods() {
  const routes: { pattern: RegExp; methods: readonly string[] }[] = [];
  return {
    add(url: string, method: string | readonly string[]): void {
      routes.push({ pattern: patternOf(url), methods: typeof method === "string" ? [method] : method });
    },
    of(url: string): string[] {
      const path = url.split("?", 1)[0] ?? "";
      return [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))].sort();
    },
  };
}

function patternOf(url: string): RegExp {
  const steps = url
    .split("/")
    .map((step) => (step.startsWith(":") ? "[^/]+" : step === "*" ? ".*" : step.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${steps.join("/")}$`);
}
