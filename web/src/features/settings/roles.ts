import type { Role } from "@/api/types";

export const ROLES: readonly Role[] = ["admin", "operator", "viewer", "auditor"];

/** The roles that allow no more than `limit`. */
export function rolesWithin(limit: Role): readonly Role[] {
  return limit === "admin" ? ROLES : limit === "viewer" ? [limit] : [limit, "viewer"];
}
