import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createAddressRules } from "./outbound-address.ts";

const rules = createAddressRules();

describe("what may be connected to", () => {
  test.each([
    ["8.8.8.8"],
    ["1.1.1.1"],
    ["93.184.215.14"],
    ["172.15.255.255"],
    ["172.32.0.0"],
    ["100.63.255.255"],
    ["100.128.0.0"],
    ["169.253.255.255"],
    ["223.255.255.255"],
    ["168.63.129.17"],
    ["2606:4700:4700::1111"],
    ["2a00:1450:4001:82a::200e"],
    ["2001:4860:4860::8888"],
  ])("%s may", (address) => {
    expect(rules.refusalOf(address)).toBeNull();
  });

  test.each([
    ["0.0.0.0", "this network"],
    ["0.1.2.3", "this network"],
    ["10.0.0.1", "private"],
    ["10.255.255.255", "private"],
    ["100.64.0.1", "carrier"],
    ["100.100.100.200", "carrier"],
    ["127.0.0.1", "this machine"],
    ["127.255.255.254", "this machine"],
    ["169.254.169.254", "metadata"],
    ["169.254.170.2", "metadata"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.192", "protocols"],
    ["192.0.2.1", "documentation"],
    ["192.88.99.1", "relay"],
    ["192.168.1.1", "private"],
    ["198.18.0.1", "benchmarks"],
    ["198.51.100.7", "documentation"],
    ["203.0.113.7", "documentation"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.250", "multicast"],
    ["255.255.255.255", "reserved"],
    ["168.63.129.16", "cloud"],
    ["::", "global unicast"],
    ["::1", "global unicast"],
    ["::127.0.0.1", "global unicast"],
    ["::ffff:127.0.0.1", "this machine"],
    ["::ffff:169.254.169.254", "metadata"],
    ["::ffff:8.8.8.8", "global unicast"],
    ["::ffff:a00:1", "private"],
    ["64:ff9b::127.0.0.1", "global unicast"],
    ["64:ff9b::a9fe:a9fe", "global unicast"],
    ["64:ff9b:1::1", "global unicast"],
    ["100::1", "global unicast"],
    ["2001::1", "Teredo"],
    ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"],
    ["2001:10::1", "protocols"],
    ["2001:db8::1", "documentation"],
    ["2002:7f00:1::1", "6to4"],
    ["3fff::1", "documentation"],
    ["4000::1", "global unicast"],
    ["5f00::1", "global unicast"],
    ["fc00::1", "global unicast"],
    ["fd00:ec2::254", "global unicast"],
    ["fe80::1", "global unicast"],
    ["fe80::1%eth0", "not an address"],
    ["2606:4700::1%1", "not an address"],
    ["fec0::1", "global unicast"],
    ["ff02::1", "global unicast"],
    ["", "not an address"],
    ["localhost", "not an address"],
    ["127.1", "not an address"],
    ["010.0.0.1", "not an address"],
    ["2130706433", "not an address"],
    ["0x7f000001", "not an address"],
  ])("%j may not: %s", (address, why) => {
    expect(rules.refusalOf(address)).toContain(why);
  });

  test("an IPv4 address that may not be reached cannot be reached in any clothes of IPv6", () => {
    const byte = fc.integer({ min: 0, max: 255 });
    const network = fc.constantFrom([10], [127], [169, 254], [192, 168], [172, 16], [100, 64], [0]);
    fc.assert(
      fc.property(network, byte, byte, byte, (first, b, c, d) => {
        const bytes = [...first, b, c, d].slice(0, 4);
        const dotted = bytes.join(".");
        const hex = (high = 0, low = 0) => (high * 256 + low).toString(16);
        const pair = `${hex(bytes[0], bytes[1])}:${hex(bytes[2], bytes[3])}`;
        const clothes = [
          dotted,
          `::ffff:${dotted}`,
          `::${dotted}`,
          `64:ff9b::${dotted}`,
          `2002:${pair}::1`,
          `::ffff:0:${dotted}`,
          `fe80::${pair}`,
        ];
        for (const address of clothes) expect(rules.refusalOf(address)).not.toBeNull();
      }),
    );
  });
});

describe("what is allowed on purpose", () => {
  const dev = createAddressRules(["127.0.0.0/8", "::1/128", "10.1.0.0/16"]);

  test.each([
    ["127.0.0.1", null, true],
    ["::1", null, true],
    ["10.1.2.3", null, false],
    ["10.2.0.1", "it is a private network", false],
    ["169.254.169.254", "it is the local link, where clouds keep their metadata", false],
  ])("%s: %s, without TLS: %s", (address, refusal, loopback) => {
    expect(dev.refusalOf(address)).toBe(refusal);
    expect(dev.isAllowedLoopback(address)).toBe(loopback);
  });

  test("this machine is not allowed by itself", () => {
    expect(rules.isAllowedLoopback("127.0.0.1")).toBe(false);
  });

  test.each(["127.0.0.1", "localhost/8", "127.0.0.0/33", "::1/129", "/8", "10.0.0.0/", "10.0.0.0/-1", "a/b"])("%j is no range", (range) => {
    expect(() => createAddressRules([range])).toThrow(expect.objectContaining({ code: "invalid-configuration" }));
  });
});
