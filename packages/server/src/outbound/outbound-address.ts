import { BlockList, isIP } from "node:net";
import { RemitError } from "@remit/contract";

/** A name and every address that it stands for at this moment. */
export type CheckedAddress = { address: string; family: 4 | 6 };

/** Which addresses may be connected to. */
export type AddressRules = {
  /** Why an address is refused; null when it may be connected to. */
  refusalOf(address: string): string | null;
  /** Is this an address of this machine that was allowed on purpose? Only such a one may be spoken to without TLS. */
  isAllowedLoopback(address: string): boolean;
};

/**
 * Everything of the IANA special-purpose registry for IPv4 that is not somebody's server on the Internet, and the one address of a cloud's
 * own services that lies outside of it.
 */
const refusedIPv4: readonly (readonly [string, number, string])[] = [
  ["0.0.0.0", 8, "this network"],
  ["10.0.0.0", 8, "a private network"],
  ["100.64.0.0", 10, "a carrier's private network"],
  ["127.0.0.0", 8, "this machine"],
  ["169.254.0.0", 16, "the local link, where clouds keep their metadata"],
  ["172.16.0.0", 12, "a private network"],
  ["192.0.0.0", 24, "reserved for protocols"],
  ["192.0.2.0", 24, "reserved for documentation"],
  ["192.88.99.0", 24, "a relay of IPv6"],
  ["192.168.0.0", 16, "a private network"],
  ["198.18.0.0", 15, "reserved for benchmarks"],
  ["198.51.100.0", 24, "reserved for documentation"],
  ["203.0.113.0", 24, "reserved for documentation"],
  ["224.0.0.0", 4, "multicast"],
  ["240.0.0.0", 4, "reserved"],
  ["168.63.129.16", 32, "a cloud's own services"],
];

/** Of IPv6 only global unicast is let through at all: all else, what embeds an IPv4 address included, is refused by not being it. */
const globalUnicast = ["2000::", 3] as const;

const refusedIPv6: readonly (readonly [string, number, string])[] = [
  ["2001::", 23, "reserved for protocols, with Teredo"],
  ["2001:db8::", 32, "reserved for documentation"],
  ["2002::", 16, "6to4, which embeds an IPv4 address"],
  ["3fff::", 20, "reserved for documentation"],
];

/**
 * @param allow ranges in CIDR notation that are let through all the same, such as `127.0.0.0/8` while developing.
 * @throws RemitError `invalid-configuration`
 */
export function createAddressRules(allow: readonly string[] = []): AddressRules {
  const allowed = new BlockList();
  for (const range of allow) addRange(allowed, range);
  const global = listOf([[...globalUnicast, ""]], "ipv6");
  const loopback = listOf([["127.0.0.0", 8, ""]], "ipv4");
  loopback.addAddress("::1", "ipv6");
  const refused = [
    ...refusedIPv4.map((range) => ({ list: listOf([range], "ipv4"), what: range[2] })),
    ...refusedIPv6.map((range) => ({ list: listOf([range], "ipv6"), what: range[2] })),
  ];

  return {
    refusalOf(address) {
      const family = familyOf(address);
      if (family === null) return "it is not an address";
      if (allowed.check(address, family)) return null;
      const found = refused.find(({ list }) => list.check(address, family));
      if (found !== undefined) return `it is ${found.what}`;
      return family === "ipv6" && !global.check(address, family) ? "it is not a global unicast address" : null;
    },
    isAllowedLoopback(address) {
      const family = familyOf(address);
      return family !== null && loopback.check(address, family) && allowed.check(address, family);
    },
  };
}

/** Null for what is none, and for one with a zone: that is always of the local link. */
function familyOf(address: string): "ipv4" | "ipv6" | null {
  if (address.includes("%")) return null;
  const version = isIP(address);
  return version === 4 ? "ipv4" : version === 6 ? "ipv6" : null;
}

function listOf(ranges: readonly (readonly [string, number, string])[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, family);
  return list;
}

function addRange(list: BlockList, range: string): void {
  const [network = "", prefix = ""] = range.split("/");
  const family = familyOf(network);
  const bits = family === "ipv4" ? 32 : 128;
  if (family === null || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) {
    throw new RemitError("invalid-configuration", `"${range}" is not a range of addresses such as 127.0.0.0/8 or ::1/128`);
  }
  list.addSubnet(network, Number(prefix), family);
}
