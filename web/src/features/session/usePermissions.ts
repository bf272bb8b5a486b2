import { useQuery } from "@tanstack/react-query";

import { sessionQuery } from "@/api/queries";

/** What the signed-in role allows. The API decides; this only keeps useless buttons away. */
export function usePermissions(): { operate: boolean; administer: boolean } {
  const role = useQuery(sessionQuery).data?.user.role;
  return { operate: role === "admin" || role === "operator", administer: role === "admin" };
}
