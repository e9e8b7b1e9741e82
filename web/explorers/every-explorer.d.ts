// Written by build.mjs: the explorers of this folder, NAME.ts as NAME.
declare module "every-explorer" {
  export const EXPLORERS: Record<string, import("../shared/explorer.ts").Explorer>;
}
