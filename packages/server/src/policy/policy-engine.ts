import type { Decision } from "@remit/contract";
import type { PolicyRequest, Registry } from "@remit/core";

/** Policy, behind one contract: Cedar in this process, or another engine. */
export type PolicyEngine = {
  /** Decides. Never throws: what goes wrong is a denial with its code and reason. */
  decide(registry: Registry, policy: string, request: PolicyRequest): Decision;
  /**
   * Could there be arguments, facts and approvals for which `decide` would not deny? False only when every one is denied;
   * a tool is listed exactly when this is true, and a call to a tool that is not listed is denied.
   */
  couldAllow(registry: Registry, policy: string, request: PolicyRequest): boolean;
  /** Parses, checks and prepares a registry's policies before it comes into force. @throws RemitError `invalid-configuration` */
  prepare(registry: Registry): Promise<void>;
};
