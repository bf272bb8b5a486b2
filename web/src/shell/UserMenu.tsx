import * as Menu from "@radix-ui/react-dropdown-menu";
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { api } from "@/api/client";
import type { User } from "@/api/types";
import { Icon } from "@/components/Icon";

const ITEM =
  "data-highlighted:bg-hover flex w-full cursor-pointer items-center rounded px-2.5 py-1.5 text-sm outline-none";

export function UserMenu({ user }: { user: User }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [failed, setFailed] = useState(false);
  const signOut = async () => {
    try {
      await api.delete("/api/session");
    } catch {
      setFailed(true);
      return;
    }
    // The pages that would ask again for what is cleared are left first.
    await navigate({ to: "/sign-in" });
    client.clear();
  };
  return (
    <Menu.Root>
      <Menu.Trigger className="hover:bg-hover flex w-full items-center gap-2.5 rounded-md px-2.5 py-1.5 text-left">
        <Icon name="user" className="text-faint size-4.5" />
        <span className="min-w-0 flex-1">
          <span className="block truncate text-sm font-medium">{user.username}</span>
          <span className="text-faint block text-xs">{failed ? "could not sign out" : user.role}</span>
        </span>
        <Icon name="chevronDown" className="text-faint size-3.5" />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content
          align="start"
          sideOffset={4}
          className="bg-surface border-line z-50 min-w-44 rounded-lg border p-1 shadow-lg"
        >
          <Menu.Item asChild>
            <Link to="/account" className={ITEM}>
              Your account
            </Link>
          </Menu.Item>
          <Menu.Item className={ITEM} onSelect={() => void signOut()}>
            Sign out
          </Menu.Item>
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}
