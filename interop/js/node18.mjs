// Node 18, which Debian 12 has, calls by another name what jose needs.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
