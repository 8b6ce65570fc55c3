import { gunzipSync, gzipSync } from 'node:zlib'
import * as z from 'zod'
import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import { canonicalJson } from '../../common/state-document.ts'
import { databaseSpecSchema, type DatabaseSpec } from '../api/database.ts'
import { organizationSpecSchema, type OrganizationSpec } from '../api/organization.ts'
import { id } from '../api/fields.ts'
import type { Holding } from '../desired/holdings.ts'
import { lastGoodSecret } from '../desired/secrets.ts'
import { differs } from '../kube/differs.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { lastGoodField, secretNames } from '../naming/names.ts'
import type { Pass } from './pass.ts'
import { putSecret } from './put-secret.ts'

/**
 * The newest specs of an organization that could be acted on: what goes on while a newer one cannot. They are kept in
 * the runtime namespace, before they come into force, so that another process finds them too: a spec that is refused
 * must never take the place of one that is in force. In a Secret and not in a ConfigMap, since Secrets are what the
 * operator may write there and nobody else may read. It stays with the data of a deleted Organization: whoever takes
 * that over finds in it which database is which.
 */
export interface GoodForms {
  /** Uid of the Organization whose specs these are, null where that is not known. */
  readonly owner: string | null
  /** null where none is known. */
  readonly organization: OrganizationSpec | null
  /** By uid; those that the nodes serve or are about to. */
  readonly databases: ReadonlyMap<string, DatabaseSpec>
  readonly holdings: readonly Holding[]
  /** Why the record cannot be read, null if it can or there is none. It is not written over then: it may come right. */
  readonly problem: string | null
}

/** The forms as they are stored. */
export interface StoredForms {
  readonly forms: GoodForms
  readonly text: string
  /** The Secret without its data, null if there is none. */
  readonly secret: KubeObject | null
}

export const noForms: GoodForms = {
  owner: null,
  organization: null,
  databases: new Map(),
  holdings: [],
  problem: null,
}
/** What is known of a runtime namespace that was made just now. */
export const nothingStored: StoredForms = { forms: noForms, text: textOf(noForms), secret: null }

/** A Secret holds 1 MiB; 10,000 databases take a third of this. */
const packedLimitBytes = 1_000_000
const unpackedLimitBytes = 64 * 1024 * 1024

/**
 * Loose: what a later operator adds is no reason to know nothing any more. Each spec is read apart: one that this release
 * does not understand must not take along the others, nor whose the data is.
 */
const recordSchema = z.looseObject({
  formatVersion: z.literal(1),
  organization: z.unknown(),
  databases: z.record(z.string(), z.unknown()),
  owner: z.string().nullable().default(null),
  holdings: z.array(z.strictObject({ id: id(), name: z.string(), holder: id() })).default([]),
})

/**
 * What is remembered of an organization whose runtime namespace is its own. Read once a process, and again as long as it
 * cannot be read.
 * @param owner uid of the Organization: of one that had the data before, only whose databases these are is of use
 * @throws AppError as `KubeClient.get`
 */
export async function recallGoodForms(pass: Pass, organizationId: string, owner: string): Promise<GoodForms> {
  const forms = await recall(pass, organizationId)
  const isOwn = forms.owner === null || forms.owner === owner
  return isOwn ? forms : { ...noForms, holdings: forms.holdings, problem: forms.problem }
}

async function recall(pass: Pass, organizationId: string): Promise<GoodForms> {
  const known = pass.memory.goodForms(organizationId)
  if (known) return known.forms
  const namespace = runtimeNamespace(organizationId)
  const secret = await pass.client.get(resources.secrets, { namespace, name: secretNames.lastGood })
  const forms = secret ? unpacked(pass, organizationId, secret) : noForms
  if (forms.problem !== null) return forms
  pass.memory.keepGoodForms(organizationId, {
    forms,
    text: textOf(forms),
    secret: secret && shapeOf(secret),
  })
  return forms
}

/**
 * Stores the forms if they are others than those stored.
 * @returns why they cannot be stored, null if they are
 * @throws AppError conflict, when somebody else has written: the next pass recalls them again
 */
export async function rememberGoodForms(
  pass: Pass,
  organizationId: string,
  forms: GoodForms,
): Promise<string | null> {
  const known = pass.memory.goodForms(organizationId)
  const text = textOf(forms)
  if (known?.text === text) return null
  const packed = gzipSync(text)
  if (packed.length > packedLimitBytes) {
    return `the specs of its databases are ${packed.length} bytes packed, and ${packedLimitBytes} can be remembered: nothing new comes into force; delete some or shorten their lists, or have retained data dropped: make its Database again and delete it with deletionPolicy Delete`
  }
  const wanted = lastGoodSecret(organizationId, packed)
  pass.memory.forgetGoodForms(organizationId)
  const secret = await written(pass, known?.secret ?? null, wanted)
  pass.memory.keepGoodForms(organizationId, { forms, text, secret: shapeOf(secret) })
  return null
}

/** Forgets databases whose data was dropped: what is made under their names later is new. */
export async function forgetHoldings(
  pass: Pass,
  organizationId: string,
  dropped: ReadonlySet<string>,
): Promise<void> {
  const forms = await recall(pass, organizationId)
  const holdings = forms.holdings.filter(({ id }) => !dropped.has(id))
  if (holdings.length < forms.holdings.length)
    await rememberGoodForms(pass, organizationId, { ...forms, holdings })
}

/** What of the stored Secret is remembered of each organization: all that its next write has to say again. */
function shapeOf({ metadata, ...rest }: KubeObject): KubeObject {
  const { managedFields: _managers, ...named } = metadata
  return { ...rest, metadata: named, data: {} }
}

async function written(pass: Pass, live: KubeObject | null, wanted: KubeObject): Promise<KubeObject> {
  if (!live) return pass.client.create(wanted)
  try {
    return await pass.client.replace({ ...live, data: wanted['data'] })
  } catch (error) {
    if (error instanceof AppError && error.kind === 'not-found') return pass.client.create(wanted)
    throw error
  }
}

/** Puts back what is stored, where somebody has edited or deleted it: another process must find it. */
export async function keepStored(pass: Pass, organizationId: string): Promise<void> {
  const known = pass.memory.goodForms(organizationId)
  // Never stored, or on its way.
  if (!known?.secret) return
  const namespace = runtimeNamespace(organizationId)
  const live = await pass.client.get(resources.secrets, { namespace, name: secretNames.lastGood })
  const wanted = lastGoodSecret(organizationId, gzipSync(known.text))
  const { data: _packed, ...shape } = wanted
  const found = live && unpacked(pass, organizationId, live)
  const isWhole = found?.problem === null && textOf(found) === known.text
  if (isWhole && differs(live, shape) === null) return
  const secret = await putSecret(pass, live, wanted)
  pass.memory.keepGoodForms(organizationId, { ...known, secret: shapeOf(secret) })
  pass.log.warn({ organizationId }, 'remembered specs were edited or deleted by somebody else: put back')
}

function textOf({ databases, problem: _problem, ...forms }: GoodForms): string {
  return canonicalJson({ formatVersion: 1, ...forms, databases: Object.fromEntries(databases) })
}

/** A spec that cannot be read counts as not remembered: then nothing is changed until today's can be acted on. */
function unpacked(pass: Pass, organizationId: string, secret: KubeObject): GoodForms {
  const record = recordSchema.safeParse(jsonIn(secret))
  if (!record.success) {
    const [place] = record.error.issues.map(({ path }) => path.join('.'))
    const what = place ? `${place} is not what this release knows` : 'it holds no record'
    pass.log.warn({ organizationId, reason: what }, 'remembered specs cannot be read')
    return { ...noForms, problem: unreadableMessage(organizationId, what) }
  }
  const { owner, holdings } = record.data
  const organization = organizationSpecSchema.safeParse(record.data.organization).data ?? null
  const databases = new Map<string, DatabaseSpec>()
  for (const [uid, stored] of Object.entries(record.data.databases)) {
    const spec = databaseSpecSchema.safeParse(stored).data
    if (spec) databases.set(uid, spec)
    else pass.log.warn({ organizationId, databaseUid: uid }, 'a remembered spec cannot be read')
  }
  return { owner, organization, databases, holdings, problem: null }
}

/** @returns null for what is none */
function jsonIn(secret: KubeObject): unknown {
  const data = secret['data'] as Readonly<Record<string, string>> | undefined
  const packed = Buffer.from(data?.[lastGoodField] ?? '', 'base64')
  try {
    return JSON.parse(gunzipSync(packed, { maxOutputLength: unpackedLimitBytes }).toString('utf8'))
  } catch {
    // Without the parser's words, which quote what was there.
    return null
  }
}

function unreadableMessage(organizationId: string, what: string): string {
  const secret = `${runtimeNamespace(organizationId)}/${secretNames.lastGood}`
  return `Secret ${secret} says which data is whose, and cannot be read: ${what}. Databases are served as they are, and no new one is, until what it held is restored; where it is deleted instead, retained data is not found by name any more`
}
