import type { Role } from "@remit/contract";

/** What a role holds besides itself. Nothing here lets anybody approve: that comes from membership of a team. */
const holds: Record<Role, readonly Role[]> = {
  admin: ["admin", "operator", "auditor", "viewer"],
  operator: ["operator", "viewer"],
  auditor: ["auditor", "viewer"],
  viewer: ["viewer"],
};

/** Does somebody with these roles hold one of those that are wanted? Nothing wanted: anybody who is known may. */
export function holdsRole(roles: readonly Role[], wanted: readonly Role[]): boolean {
  return wanted.length === 0 || roles.some((role) => wanted.some((one) => holds[role].includes(one)));
}
