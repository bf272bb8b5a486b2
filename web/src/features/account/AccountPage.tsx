import { useQuery } from "@tanstack/react-query";

import { sessionQuery } from "@/api/queries";
import { PageHeader } from "@/components/Page";
import { useTitle } from "@/components/useTitle";
import { TokensSection } from "@/features/settings/TokensSection";
import { PasswordSection } from "./PasswordSection";
import { SessionsSection } from "./SessionsSection";

/** The account of the user who is signed in. */
export function AccountPage() {
  useTitle("Your account");
  const session = useQuery(sessionQuery).data;
  return (
    <>
      <PageHeader
        title="Your account"
        detail={session && `Signed in as ${session.user.username}, with the role ${session.user.role}`}
      />
      {session && (
        <div className="space-y-8">
          <PasswordSection username={session.user.username} hasPassword={session.has_password} />
          <SessionsSection owner={session.user.id} />
          <TokensSection owner={session.user.id} />
        </div>
      )}
    </>
  );
}
