// Gateway and console serve the SDK beside their pages, also below a proxy's prefix. Here it lies elsewhere.
declare module "*/sdk/clarion.js" {
  export * from "sdk/clarion.js";
}
declare module "*/sdk/backoff.js" {
  export * from "sdk/backoff.js";
}
declare module "*/sdk/event_parser.js" {
  export * from "sdk/event_parser.js";
}
