// How programs serve: at a free port of this machine, which they name.
import { createServer } from "node:http";

export function listen(handler) {
  const server = createServer(handler);
  server.listen(0, "127.0.0.1", () => console.log("listening on", `http://127.0.0.1:${server.address().port}`));
}

// bearer returns the token of a request, or undefined.
export const bearer = (request) => request.headers.authorization?.match(/^Bearer (.+)$/)?.[1];

// answer writes JSON.
export function answer(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}
