import { ApiError, errorFrom } from "@/api/client";
import { noteUnavailable } from "@/api/connection";

/** Sends a file as the body of a request; `fetch` would not tell how far it is. `onProgress` is told a share from 0 to 1. */
export function sendFile<T>(
  path: string,
  file: Blob,
  { signal, onProgress }: { signal: AbortSignal; onProgress?: (share: number) => void },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => {
      request.abort();
    };
    request.open("POST", path);
    request.setRequestHeader("accept", "application/json");
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress?.(event.loaded / event.total);
    };
    request.onload = () => {
      let body: unknown = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // A proxy answered.
      }
      if (request.status >= 200 && request.status < 300 && body !== null) resolve(body as T);
      else if (request.status === 413 && body === null)
        reject(new ApiError(413, "too_large", "The file is larger than an upload may be.", [], null));
      else reject(errorFrom(request.status, body));
    };
    request.onerror = () => {
      noteUnavailable();
      const advice = "The upload broke off. Admiral cannot be reached, or refused the file; try again.";
      reject(new ApiError(0, "unreachable", advice, [], null));
    };
    request.onabort = () => {
      reject(new DOMException("The upload was given up.", "AbortError"));
    };
    request.onloadend = () => {
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort);
    request.send(file);
  });
}
