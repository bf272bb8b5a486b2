import { useMutation } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { SignInLink, User } from "@/api/types";
import { Button } from "@/components/Button";
import { CopyBox } from "@/components/Copy";
import { Dialog, DialogActions } from "@/components/Dialog";
import { ErrorNotice } from "@/components/Notice";
import { Time } from "@/components/Time";

export function SignInLinkDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const create = useMutation({
    mutationFn: () => api.post<SignInLink>(`/api/users/${user.id}/sign-in-link`, {}),
  });
  return (
    <Dialog title={`Sign-in link for ${user.username}`} onClose={onClose}>
      {create.data === undefined ? (
        <>
          <p className="text-soft text-sm">
            Whoever opens the link first is signed in as {user.username}. It works once.
          </p>
          {create.isError && <ErrorNotice className="mt-3" title="Not created" error={create.error} />}
          <DialogActions>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              variant="primary"
              busy={create.isPending}
              onClick={() => {
                create.mutate();
              }}
            >
              Create link
            </Button>
          </DialogActions>
        </>
      ) : (
        <>
          <p className="text-soft mb-2 text-sm">
            Send it to {user.username}. It works once, and expires <Time value={create.data.expires_at} />.
          </p>
          <CopyBox text={new URL(create.data.url_path, window.location.origin).href} what="sign-in link" />
          <DialogActions>
            <Button variant="primary" onClick={onClose}>
              Done
            </Button>
          </DialogActions>
        </>
      )}
    </Dialog>
  );
}
