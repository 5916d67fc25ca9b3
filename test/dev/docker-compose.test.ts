/** No engine here runs these files; what can be known by reading them is checked, so that a careless edit does not break production unseen. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";

interface Service {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: unknown;
  readonly ports?: readonly string[];
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<
    Record<
      string,
      { readonly internal?: boolean; readonly ipam?: { readonly config: readonly { readonly gateway?: string }[] } }
    >
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const text = readFileSync("docker-compose.yml", "utf8");
const compose = parse(text, { merge: true }) as Compose;

function service(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

const networksOf = ({ networks = [] }: Service): string[] =>
  Array.isArray(networks) ? [...(networks as string[])] : Object.keys(networks);

it("the service waits for healthy servers and gets every setting that it has no default for", () => {
  const { depends_on = {}, environment, stop_grace_period } = service("ringmatch");
  expect(Object.keys(depends_on).sort()).toEqual(["drachtio", "migrate", "postgres", "redis"]);
  for (const [name, { condition }] of Object.entries(depends_on)) {
    expect([name, condition]).toEqual([
      name,
      name === "migrate" ? "service_completed_successfully" : "service_healthy",
    ]);
    if (name !== "migrate") expect(service(name).healthcheck).toBeDefined();
  }
  for (const name of ["DATABASE_URL", "REDIS_URL", "DRACHTIO_URL", "SECRETS_KEY", "ADMIN_API_KEY"])
    expect(environment).toHaveProperty(name);
  expect(stop_grace_period).toBe("10m");
  expect(environment["DRAIN_S"]).toMatch(/^\$\{DRAIN_S:-\d{1,2}\}$/);
});

it("every secret comes from the environment, fails when missing, and is explained in .env.example", () => {
  const example = readFileSync(".env.example", "utf8");
  const named = [...text.matchAll(/\$\{([A-Z_]+)(:[?-])/g)].map(([, name = "", mark = ""]) => ({ name, mark }));
  for (const { name } of named) expect(example).toMatch(new RegExp(`^${name}=`, "m"));
  for (const secret of ["POSTGRES_PASSWORD", "DRACHTIO_SECRET", "SECRETS_KEY", "ADMIN_API_KEY"]) {
    const marks = named.filter(({ name }) => name === secret).map(({ mark }) => mark);
    expect([secret, ...new Set(marks)]).toEqual([secret, ":?"]);
    expect(example).toMatch(new RegExp(`^${secret}=$`, "m"));
  }
});

it("only HTTP for the proxy and SIP are published; drachtio's admin port stays in a network without a way in", () => {
  const published = Object.entries(compose.services).flatMap(([name, { ports = [] }]) =>
    ports.map((port) => `${name} ${port}`),
  );
  expect(published).toEqual([
    "ringmatch ${HTTP_PUBLISH:-127.0.0.1:8080}:8080",
    "drachtio 5060:5060/udp",
    "drachtio 5060:5060/tcp",
  ]);
  for (const name of ["postgres", "redis"]) expect(networksOf(service(name))).toEqual(["backend"]);
  for (const network of ["backend", "control"]) expect(compose.networks[network]?.internal).toBe(true);
  const { ipv4_address } = (service("drachtio").networks as Record<string, { ipv4_address?: string }>)["control"] ?? {};
  expect(service("drachtio").environment["DRACHTIO_ADMIN_ADDRESS"]).toBe(ipv4_address);
  expect(service("ringmatch").environment["DRACHTIO_URL"]).toContain(`@${String(ipv4_address)}:9022`);
});

it("a proxy on the host, which comes from the gateway of the published port's network, is exempt from the limit of one address", () => {
  const gateways = networksOf(service("ringmatch")).flatMap((name) => compose.networks[name]?.ipam?.config ?? []);
  const trusted = service("ringmatch").environment["PRESENT_TRUSTED_CIDRS"];
  const [edge] = gateways.filter(({ gateway }) => gateway !== undefined);
  expect(trusted).toBe(`\${PRESENT_TRUSTED_CIDRS:-${String(edge?.gateway)}/32}`);
  expect(readFileSync(".env.example", "utf8")).toContain(`PRESENT_TRUSTED_CIDRS=${String(edge?.gateway)}/32`);
});

it("PostgreSQL has as much memory for pages as .env says, and cleans up after presentations as often as the embedded one", () => {
  const settings = ["shared_buffers=${POSTGRES_SHARED_BUFFERS:-512MB}", "autovacuum_naptime=10s"];
  expect(service("postgres").command).toEqual(["postgres", ...settings.flatMap((setting) => ["-c", setting])]);
});

it("Redis writes its log and never evicts, and every image is pinned and every volume declared", () => {
  const command = (service("redis").command ?? []).join(" ");
  expect(command).toContain("--appendonly yes");
  expect(command).toContain("--maxmemory-policy noeviction");
  for (const { image = "", volumes = [] } of Object.values(compose.services)) {
    expect(image).toMatch(/^(ringmatch|[a-z/-]+:\d[\w.]*)$/);
    for (const volume of volumes) expect(compose.volumes).toHaveProperty(volume.split(":")[0] ?? "");
  }
});

it("the Dockerfile copies only what .dockerignore lets through and the project has", () => {
  const copied = [...readFileSync("Dockerfile", "utf8").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
    ([, sources = ""]) => sources.split(" "),
  );
  const letThrough = readFileSync(".dockerignore", "utf8").match(/^!.+$/gm) ?? [];
  expect(copied.length).toBeGreaterThan(4);
  for (const source of copied) {
    expect(existsSync(source)).toBe(true);
    expect(letThrough).toContain(`!${source.replace("./", "")}`);
  }
});
