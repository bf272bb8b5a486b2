import type { CreateDeployment, DeploymentPreview } from "@/api/types";

/**
 * What the launch says about findings: the version whose findings were read goes with their acceptance, so that no other one
 * is accepted unread. Null: they have to be read first.
 */
export function acknowledgement(
  preview: Pick<DeploymentPreview, "version" | "acknowledgement_needed"> | undefined,
  readVersion: string | null,
): Pick<CreateDeployment, "acknowledge" | "version_id"> | null {
  if (preview === undefined || !preview.acknowledgement_needed) return {};
  return preview.version.id === readVersion ? { acknowledge: true, version_id: readVersion } : null;
}
