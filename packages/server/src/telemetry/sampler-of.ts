import { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, type Sampler, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace";

/** What `OTEL_TRACES_SAMPLER` and its argument name; null for the SDK's own choice, which is `parentbased_always_on`. */
export function samplerOf(name: string | undefined, argument: string | undefined): Sampler | null {
  switch (name) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return byRatio(argument);
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: byRatio(argument) });
    default:
      return null;
  }
}

function byRatio(argument: string | undefined): Sampler {
  const ratio = Number(argument);
  return new TraceIdRatioBasedSampler(argument === undefined || argument === "" || !(ratio >= 0 && ratio <= 1) ? 1 : ratio);
}
