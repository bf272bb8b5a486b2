import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { useReconnecting } from "@/api/connection";
import { sessionQuery } from "@/api/queries";
import { IconButton } from "@/components/Button";
import { Icon, type IconName } from "@/components/Icon";
import { isTyping } from "@/components/isTyping";
import { ErrorNotice } from "@/components/Notice";
import { ApiError } from "@/api/client";
import { Brand } from "./Brand";
import { IsolationBanner } from "./IsolationBanner";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { UserMenu } from "./UserMenu";

const PLACES = [
  { to: "/deployments", name: "Deployments", icon: "deployments" },
  { to: "/playbooks", name: "Playbooks", icon: "playbooks" },
  { to: "/servers", name: "Servers", icon: "servers" },
  { to: "/keys", name: "Keys", icon: "keys" },
  { to: "/settings", name: "Settings", icon: "settings" },
] as const satisfies readonly { to: string; name: string; icon: IconName }[];

/** The frame around every page of someone who is signed in. */
export function AppShell() {
  const session = useQuery(sessionQuery);
  const { pathname } = useLocation();
  const [openAt, setOpenAt] = useState<string | null>(null);
  const [shortcuts, setShortcuts] = useState(false);
  // Going to another page closes the menu on a phone.
  const open = openAt === pathname;

  useEffect(() => {
    const help = (event: KeyboardEvent) => {
      if (event.key === "?" && !isTyping(event)) setShortcuts(true);
    };
    document.addEventListener("keydown", help);
    return () => {
      document.removeEventListener("keydown", help);
    };
  }, []);

  return (
    <div className="min-h-dvh md:grid md:grid-cols-[13rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="bg-surface sr-only z-50 rounded-md px-3 py-2 focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <header className="bg-canvas border-line sticky top-0 z-30 flex items-center justify-between border-b px-3 py-2 md:hidden">
        <Link to="/deployments" aria-label="Admiral, home">
          <Brand />
        </Link>
        <IconButton
          icon={open ? "close" : "menu"}
          label={open ? "Close menu" : "Open menu"}
          aria-expanded={open}
          className="size-9"
          onClick={() => {
            setOpenAt(open ? null : pathname);
          }}
        />
      </header>
      <aside
        className={`border-line bg-canvas z-20 flex-col border-r md:sticky md:top-0 md:flex md:h-dvh ${open ? "fixed inset-x-0 top-[3.2rem] bottom-0 flex" : "hidden"}`}
      >
        <div className="px-4 py-4 max-md:hidden">
          <Link to="/deployments" aria-label="Admiral, home">
            <Brand />
          </Link>
        </div>
        <nav aria-label="Main" className="flex-1 space-y-0.5 px-2 max-md:py-3">
          {PLACES.map((place) => (
            <Link
              key={place.to}
              to={place.to}
              className="flex items-center gap-2.5 rounded-md px-2.5 py-1.5 font-medium max-md:py-3"
              activeProps={{ className: "bg-accent-tint text-accent" }}
              inactiveProps={{ className: "text-soft hover:bg-hover hover:text-ink" }}
            >
              <Icon name={place.icon} className="size-4.5" />
              {place.name}
            </Link>
          ))}
        </nav>
        <Connection />
        <div className="border-line space-y-1 border-t p-2">
          {session.data && <UserMenu user={session.data.user} />}
          <button
            type="button"
            className="text-faint hover:text-ink w-full rounded-md px-2.5 py-1 text-left text-xs max-md:hidden"
            onClick={() => {
              setShortcuts(true);
            }}
          >
            Shortcuts <kbd className="border-line ml-1 rounded border px-1 font-mono">?</kbd>
          </button>
        </div>
      </aside>
      <main id="main" tabIndex={-1} className="min-w-0 px-4 py-5 outline-none md:px-7">
        {session.isError && !(session.error instanceof ApiError && session.error.status === 401) && (
          <ErrorNotice
            className="mb-4"
            title="The session could not be read"
            error={session.error}
            onRetry={() => void session.refetch()}
          />
        )}
        <div className="md:hidden">
          <Connection />
        </div>
        {session.data?.user.role === "admin" && <IsolationBanner />}
        <Outlet />
      </main>
      {shortcuts && (
        <ShortcutsDialog
          onClose={() => {
            setShortcuts(false);
          }}
        />
      )}
    </div>
  );
}

function Connection() {
  const reconnecting = useReconnecting();
  return (
    <div role="status" className="empty:hidden">
      {reconnecting && (
        <p className="text-unreachable flex items-center gap-2 px-4 py-2 text-xs font-medium">
          <Icon name="unplugged" />
          Connection lost, reconnecting…
        </p>
      )}
    </div>
  );
}
