import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { sessionQuery, usersQuery } from "@/api/queries";
import type { Role, User } from "@/api/types";
import { Button } from "@/components/Button";
import { ConfirmDialog } from "@/components/Dialog";
import { Icon } from "@/components/Icon";
import { ErrorNotice } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { AddUserDialog } from "./AddUserDialog";
import { ListSection } from "./ListSection";
import { SignInLinkDialog } from "./SignInLinkDialog";
import { UserSessionsDialog } from "./UserSessionsDialog";
import { ROLES } from "./roles";

type Open = { act: "add" } | { act: "link" | "sessions" | "disable"; user: User };

export function UsersSection() {
  const client = useQueryClient();
  const users = useQuery(usersQuery);
  const me = useQuery(sessionQuery).data?.user.id;
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => {
    setOpen(null);
  };
  const update = useMutation({
    mutationFn: ({ id, ...changes }: { id: string; role?: Role; disabled?: boolean }) =>
      api.patch<User>(`/api/users/${id}`, changes),
    onSettled: () => client.invalidateQueries({ queryKey: ["users"] }),
  });
  return (
    <>
      {update.isError && <ErrorNotice title="Not changed" error={update.error} />}
      <ListSection
        title="Users"
        about="Viewers and auditors look; operators also change servers and keys, and deploy; administrators do everything."
        what="users"
        query={users}
        icon="user"
        empty="Add those who work with Admiral."
        add="Add user"
        onAdd={() => {
          setOpen({ act: "add" });
        }}
      >
        {(all) => (
          <TableFrame label="Users">
            <thead>
              <tr>
                <HeadCell>Username</HeadCell>
                <HeadCell>Role</HeadCell>
                <HeadCell>Status</HeadCell>
                <HeadCell>Added</HeadCell>
                <HeadCell>
                  <span className="sr-only">Actions</span>
                </HeadCell>
              </tr>
            </thead>
            <tbody>
              {all.map((user) => (
                <tr key={user.id} className="hover:bg-hover">
                  <Cell className="font-medium">
                    {user.username}
                    {user.id === me && <span className="text-faint font-normal"> (you)</span>}
                  </Cell>
                  <Cell>
                    <select
                      aria-label={`Role of ${user.username}`}
                      className="control w-auto! py-1!"
                      value={user.role}
                      disabled={user.id === me}
                      title={user.id === me ? "You cannot change your own role" : undefined}
                      onChange={(event) => {
                        update.mutate({ id: user.id, role: event.target.value as Role });
                      }}
                    >
                      {ROLES.map((role) => (
                        <option key={role} value={role}>
                          {role}
                        </option>
                      ))}
                    </select>
                  </Cell>
                  <Cell>
                    <span
                      className={`inline-flex items-center gap-1.5 ${user.disabled ? "text-skipped" : "text-success"}`}
                    >
                      <Icon name={user.disabled ? "dash" : "check"} className="size-3.5" />
                      {user.disabled ? "disabled" : "active"}
                    </span>
                  </Cell>
                  <Cell className="text-soft">
                    <Time value={user.created_at} />
                  </Cell>
                  <Cell>
                    <span className="flex justify-end gap-1.5">
                      {!user.disabled && (
                        <Button
                          small
                          aria-label={`Sign-in link for ${user.username}`}
                          onClick={() => {
                            setOpen({ act: "link", user });
                          }}
                        >
                          Sign-in link
                        </Button>
                      )}
                      <Button
                        small
                        aria-label={`Sessions of ${user.username}`}
                        onClick={() => {
                          setOpen({ act: "sessions", user });
                        }}
                      >
                        Sessions
                      </Button>
                      <Button
                        small
                        aria-label={`${user.disabled ? "Enable" : "Disable"} ${user.username}`}
                        disabled={user.id === me}
                        title={user.id === me ? "You cannot disable yourself" : undefined}
                        onClick={() => {
                          if (user.disabled) update.mutate({ id: user.id, disabled: false });
                          else setOpen({ act: "disable", user });
                        }}
                      >
                        {user.disabled ? "Enable" : "Disable"}
                      </Button>
                    </span>
                  </Cell>
                </tr>
              ))}
            </tbody>
          </TableFrame>
        )}
      </ListSection>
      {open?.act === "add" && <AddUserDialog onClose={close} />}
      {open?.act === "link" && <SignInLinkDialog user={open.user} onClose={close} />}
      {open?.act === "sessions" && <UserSessionsDialog user={open.user} onClose={close} />}
      {open?.act === "disable" && (
        <ConfirmDialog
          title={`Disable ${open.user.username}?`}
          action="Disable user"
          onClose={close}
          onConfirm={() => update.mutateAsync({ id: open.user.id, disabled: true })}
        >
          <p>
            {open.user.username} is signed out and cannot sign in until enabled again. Their API tokens do not
            work until then.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
