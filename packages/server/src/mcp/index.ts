/** The words of the protocol, for what speaks it on this side of the gateway. Small: it loads nothing of the server. */
export { headerParameters, parameterHeaders } from "./header-parameters.ts";
export { metaKeys, rpcCodes } from "./mcp-protocol.ts";
