import { useQuery } from "@tanstack/react-query";

import { healthQuery } from "@/api/queries";
import { PageHeader } from "@/components/Page";
import { useTitle } from "@/components/useTitle";
import { usePermissions } from "@/features/session/usePermissions";
import { EnvironmentsSection } from "./EnvironmentsSection";
import { GalaxySection } from "./GalaxySection";
import { InstallationSection } from "./InstallationSection";
import { TokensSection } from "./TokensSection";
import { UsersSection } from "./UsersSection";
import { VaultPasswordsSection } from "./VaultPasswordsSection";

export function SettingsPage() {
  useTitle("Settings");
  const { operate, administer } = usePermissions();
  const health = useQuery(healthQuery);
  return (
    <>
      <PageHeader title="Settings" detail={health.data && `Admiral ${health.data.version}`} />
      <div className="space-y-8">
        <EnvironmentsSection mayChange={operate} />
        <VaultPasswordsSection mayChange={operate} />
        <GalaxySection mayChange={administer} />
        <InstallationSection mayChange={administer} />
        {administer && <UsersSection />}
        {administer && <TokensSection />}
      </div>
    </>
  );
}
