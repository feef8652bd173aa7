import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { Deployment } from "kubernetes-models/apps/v1";
import { Ingress, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Service, ServiceAccount } from "kubernetes-models/v1";
import { afterAll, describe, expect, test } from "vitest";
import { openHelm } from "./helm.testing.ts";
import type { Helm, Manifest } from "./helm.testing.ts";

const found = openHelm();
if (found === null) console.log("not run: the package that carries helm has it for Linux on x64 alone");
const helm = found as Helm;
afterAll(() => found?.[Symbol.dispose]());

const least = { publicUrl: "https://remit.example", database: { existingSecret: "remit-db" }, masterKey: { existingSecret: "remit-keys" } };
const peer = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress" } } };
const everything = {
  ...least,
  database: { existingSecret: "remit-db", urlKey: "app", ownerUrlKey: "owner" },
  image: { repository: "registry.example/remit", digest: `sha256:${"a".repeat(64)}` },
  imagePullSecrets: [{ name: "registry" }],
  autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 9, targetCPUUtilizationPercentage: 60 },
  metrics: { enabled: true, port: 9999, serviceMonitor: { enabled: true, labels: { release: "prometheus" } } },
  networkPolicy: { enabled: true, from: [peer], metricsFrom: [peer], egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }] },
  ingress: {
    enabled: true,
    className: "nginx",
    tlsSecret: "remit-tls",
    annotations: { "nginx.ingress.kubernetes.io/proxy-buffering": "off" },
  },
  nats: { url: "nats://nats:4222", createStream: true, tokenSecret: "nats-token" },
  outboundAllow: ["10.20.0.0/16", "fd00::/8"],
  extraEnv: [{ name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://collector:4318" }],
  podAnnotations: { "example.com/team": "agents" },
  podLabels: { team: "agents" },
  nodeSelector: { "kubernetes.io/os": "linux" },
  tolerations: [{ key: "agents", operator: "Exists" }],
  affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
};
const nothing = {
  ...least,
  metrics: { enabled: false },
  networkPolicy: { enabled: false },
  podDisruptionBudget: { enabled: false },
};
const cases = [
  {
    name: "least",
    values: least,
    kinds: ["ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "ServiceAccount"],
  },
  {
    name: "everything",
    values: everything,
    kinds: [
      "ConfigMap",
      "Deployment",
      "HorizontalPodAutoscaler",
      "Ingress",
      "NetworkPolicy",
      "PodDisruptionBudget",
      "Service",
      "Service",
      "ServiceAccount",
      "ServiceMonitor",
    ],
  },
  { name: "nothing that can be left out", values: nothing, kinds: ["ConfigMap", "Deployment", "Service", "ServiceAccount"] },
];

/** What Kubernetes' own descriptions say of each kind: values by validators, members by types, both made from its OpenAPI. */
const models = {
  ConfigMap: { model: ConfigMap, from: "v1" },
  Service: { model: Service, from: "v1" },
  ServiceAccount: { model: ServiceAccount, from: "v1" },
  Deployment: { model: Deployment, from: "apps/v1" },
  HorizontalPodAutoscaler: { model: HorizontalPodAutoscaler, from: "autoscaling/v2" },
  Ingress: { model: Ingress, from: "networking.k8s.io/v1" },
  NetworkPolicy: { model: NetworkPolicy, from: "networking.k8s.io/v1" },
  PodDisruptionBudget: { model: PodDisruptionBudget, from: "policy/v1" },
} as const;

function modelOf(manifest: Manifest) {
  return Object.hasOwn(models, manifest.kind) ? models[manifest.kind as keyof typeof models] : null;
}

function deploymentOf(values: object) {
  const manifest = helm.template(values).manifests.find(({ kind }) => kind === "Deployment");
  const deployment = new Deployment(manifest);
  const pod = deployment.spec?.template.spec;
  const [container] = pod?.containers ?? [];
  if (pod === undefined || container === undefined) throw new Error("the deployment runs nothing");
  return { deployment, pod, container };
}

/** Members that no type of Kubernetes has, as the compiler names them. */
function unknownMembers(manifests: readonly Manifest[]): string {
  const folder = mkdirSync("node_modules/.cache", { recursive: true }) ?? "node_modules/.cache";
  const place = mkdtempSync(join(folder.endsWith(".cache") ? folder : "node_modules/.cache", "remit-chart-"));
  try {
    const lines = manifests.flatMap((manifest, index) => {
      const known = modelOf(manifest);
      if (known === null) return [];
      return [
        `import type { I${manifest.kind} as Type${index} } from "kubernetes-models/${known.from}";`,
        `export const value${index}: Type${index} = ${JSON.stringify(manifest, null, 1)};`,
      ];
    });
    writeFileSync(join(place, "chart.mts"), lines.join("\n"));
    const args = [
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--types",
      "",
      join(place, "chart.mts"),
    ];
    const { stdout } = spawnSync("node_modules/.bin/tsc", ["--ignoreConfig", ...args], { encoding: "utf8" });
    return stdout.trim();
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

describe.skipIf(found === null)("the chart", () => {
  test.each(cases)("with $name is rendered by Helm into what Kubernetes describes", ({ values, kinds }) => {
    expect(helm.lint(values)).toMatchObject({ code: 0 });
    const { code, output, manifests } = helm.template(values);
    expect(code, output).toBe(0);
    expect(manifests.map(({ kind }) => kind).sort()).toEqual(kinds);
    for (const manifest of manifests) {
      const known = modelOf(manifest);
      if (known === null) {
        // The one kind that is not of Kubernetes itself: Prometheus Operator's.
        expect(manifest).toMatchObject({ kind: "ServiceMonitor", apiVersion: "monitoring.coreos.com/v1" });
        continue;
      }
      expect(manifest.apiVersion).toBe(known.model.apiVersion);
      const instance = new known.model(manifest as never);
      expect(() => instance.validate()).not.toThrow();
    }
    expect(unknownMembers(manifests)).toBe("");
  });

  test("the check finds what is wrong: a wrong value, and a member that does not exist", () => {
    const { manifests } = helm.template(least);
    const deployment = structuredClone(manifests.find(({ kind }) => kind === "Deployment")) as Manifest & { spec: Record<string, unknown> };
    deployment.spec["replicas"] = "three";
    expect(() => new Deployment(deployment as never).validate()).toThrow(/replicas/);
    deployment.spec["replicas"] = 3;
    deployment.spec["replica"] = 3;
    expect(unknownMembers([deployment])).toMatch(/'?"?replica"?'? does not exist in type/);
  });

  test.each<[string, object, RegExp]>([
    ["no address", { ...least, publicUrl: "" }, /publicUrl/],
    ["an address with a path", { ...least, publicUrl: "https://remit.example/x" }, /publicUrl/],
    ["no database", { ...least, database: {} }, /existingSecret/],
    ["no master key", { ...least, masterKey: {} }, /existingSecret/],
    ["a misspelt value", { ...least, replicas: 3 }, /replicas/],
    ["no time to end in", { ...least, terminationGracePeriodSeconds: 5 }, /terminationGracePeriodSeconds/],
    ["a range that is none", { ...least, outboundAllow: ["localhost"] }, /outboundAllow/],
  ])("%s is refused before anything is rendered", (_name, values, says) => {
    const { code, output } = helm.template(values);
    expect(code).not.toBe(0);
    expect(output).toMatch(says);
  });

  test("a server is nobody, writes nowhere but into its own folders, and is told no secret but by reference", () => {
    const { pod, container } = deploymentOf(everything);
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.volumeMounts?.map(({ mountPath }) => mountPath)).toEqual(["/var/lib/remit", "/tmp"]);
    expect(pod.volumes?.every(({ emptyDir }) => emptyDir?.sizeLimit !== undefined)).toBe(true);
    const secrets = container.env?.filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined).map(({ name }) => name);
    expect(secrets).toEqual(["DATABASE_URL", "DATABASE_OWNER_URL", "REMIT_MASTER_KEY", "REMIT_NATS_TOKEN"]);
    const config = helm.template(everything).manifests.find(({ kind }) => kind === "ConfigMap");
    expect(config?.["data"]).toEqual({
      REMIT_PUBLIC_URL: "https://remit.example",
      REMIT_OUTBOUND_ALLOW: "10.20.0.0/16,fd00::/8",
      REMIT_METRICS_ADDRESS: "0.0.0.0:9999",
      REMIT_NATS_URL: "nats://nats:4222",
      REMIT_NATS_STREAM: "REMIT",
      REMIT_NATS_CREATE_STREAM: "yes",
    });
    expect(container.image).toBe(`registry.example/remit@sha256:${"a".repeat(64)}`);
  });

  test("[OBS-09] it is asked whether it lives and is ready, and has time to end", () => {
    const { pod, container, deployment } = deploymentOf(least);
    expect(container.livenessProbe?.httpGet).toEqual({ path: "/livez", port: "http" });
    expect(container.startupProbe?.httpGet).toEqual({ path: "/livez", port: "http" });
    expect(container.readinessProbe?.httpGet).toEqual({ path: "/readyz", port: "http" });
    // 5 s until nobody sends requests, 10 s for answers that are under way, and the rest for what has to be recorded.
    expect(container.lifecycle?.preStop?.exec?.command?.join(" ")).toContain("5000");
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(5 + 10 + 20);
    expect(deployment.spec?.strategy?.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    expect(container.image).toBe("remit:0.1.0");
  });

  test("whatever names a server by its labels or its ports names one that is there", () => {
    for (const { values } of cases) {
      const { manifests } = helm.template(values);
      const { deployment, container } = deploymentOf(values);
      const labels = deployment.spec?.template.metadata?.labels ?? {};
      const ports = new Set(container.ports?.map(({ name }) => name));
      const text = JSON.stringify;
      for (const manifest of manifests) {
        const spec = (manifest["spec"] ?? {}) as Record<string, unknown>;
        const selector = (spec["selector"] ?? spec["podSelector"]) as { matchLabels?: Record<string, string> } | undefined;
        const wanted = manifest.kind === "Service" ? (selector as Record<string, string>) : selector?.matchLabels;
        if (wanted === undefined) continue;
        const pool =
          manifest.kind === "ServiceMonitor"
            ? (manifests.find(({ metadata }) => metadata.name.endsWith("-metrics"))?.metadata.labels ?? {})
            : labels;
        expect(pool, `${manifest.kind} ${manifest.metadata.name}`).toMatchObject(wanted);
      }
      const named = manifests
        .filter(({ kind }) => kind === "Service" || kind === "NetworkPolicy")
        .flatMap((manifest) => [...text(manifest).matchAll(/"(?:targetPort|port)":"([a-z]+)"/g)].map(([, name]) => name ?? ""));
      expect(named.length).toBeGreaterThan(0);
      for (const name of named) expect(ports).toContain(name);
    }
  });

  test("an ingress is for the host of the public address, and leads to the service by the name of its port", () => {
    const values = { ...everything, publicUrl: "https://remit.example:8443" };
    const { manifests } = helm.template(values);
    const service = new Service(manifests.find(({ kind, metadata }) => kind === "Service" && metadata.name === "eu-remit"));
    const { spec, metadata } = new Ingress(manifests.find(({ kind }) => kind === "Ingress"));
    expect(metadata?.annotations).toEqual({ "nginx.ingress.kubernetes.io/proxy-buffering": "off" });
    expect(spec).toEqual({
      ingressClassName: "nginx",
      tls: [{ hosts: ["remit.example"], secretName: "remit-tls" }],
      rules: [
        {
          host: "remit.example",
          http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "eu-remit", port: { name: "http" } } } }] },
        },
      ],
    });
    expect(service.spec?.ports?.map(({ name }) => name)).toContain("http");
    expect(helm.template({ ...values, ingress: { enabled: true, host: "other.example" } }).code).not.toBe(0);
  });

  test("another configuration is another pod, so that it takes effect", () => {
    const checksum = (values: object) => deploymentOf(values).deployment.spec?.template.metadata?.annotations?.["checksum/config"];
    expect(checksum(least)).toMatch(/^[0-9a-f]{64}$/);
    expect(checksum({ ...least, publicUrl: "https://other.example" })).not.toBe(checksum(least));
    expect(checksum({ ...least, replicaCount: 5 })).toBe(checksum(least));
  });
});
