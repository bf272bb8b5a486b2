/** Shapes that the OpenAPI snapshot does not have yet. What `generated.ts` learns goes from here. */

export interface VaultPassword {
  id: string;
  vault_id: string;
  package: { id: string; name: string } | null;
  created_at: string;
  updated_at: string;
}

export interface GalaxyServer {
  id: string;
  name: string;
  url: string;
  auth_url: string | null;
  has_token: boolean;
  position: number;
}
