// Judges generated policies, as `cargo run --package fuzz` prints them, by another evaluator: the originals, and the
// corrections. Every rule here is computed from the policies alone, without iam-trust.
//
//   ... | node compare.mjs
//
// Prints what differs, and at the end the counts as JSON. Fails if anything differs, or if nothing was corrected.

import { createInterface } from 'node:readline'

// Its public function drops the condition keys of an OIDC provider, so this takes the engine behind it.
const simulate = './node_modules/@cloud-copilot/iam-simulate/dist/esm/'
const { authorize } = await import(simulate + 'core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await import(simulate + 'request/request.js')
const { RequestContextImpl } = await import(simulate + 'requestContext.js')
const { DiscoveryContextKeyConstraints } = await import(simulate + 'context_keys/discoveryContextKeyConstraints.js')
const { loadPolicy } = await import('./node_modules/@cloud-copilot/iam-policy/dist/esm/index.js')

const ACCOUNT = '111122223333'
const ROLE = `arn:aws:iam::${ACCOUNT}:role/app`
const ACTION = 'sts:AssumeRoleWithWebIdentity'
const ISSUERS = ['5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C', '0A1B2C3D4E5F60718293A4B5C6D7E8F9', '0'.repeat(32)].map(
  (id) => `oidc.eks.eu-west-1.amazonaws.com/id/${id}`
)
const account = (subject) => `system:serviceaccount:${subject}`
const SUBJECTS = ['payments:checkout', 'payments:cart', 'payments:other', 'store:checkout', 'checkout:payments',
  'store:admin', 'kube-system:default'].map(account)
const AUDIENCES = ['sts.amazonaws.com', 'my-audience']

// Every combination of what a call can have for keys that depend on more than the token. `undefined`: no such key.
const each = (key, values) => (worlds) => worlds.flatMap((world) => values.map((value) => ({ ...world, [key]: value })))
const WORLDS = [
  each('aws:SourceIp', ['203.0.113.7', '198.51.100.7', undefined]),
  each('aws:SourceVpce', ['vpce-1', 'vpce-2', undefined]),
  each('sts:RoleSessionName', ['irsa-a', 'other']),
].reduce((worlds, widen) => widen(worlds), [{ 'aws:SecureTransport': 'true', 'aws:UserAgent': 'x' }])

function allows(policy, { issuer, subject, audience }, world) {
  const context = { [`${issuer}:sub`]: subject, [`${issuer}:aud`]: audience }
  for (const [key, value] of Object.entries(world)) if (value !== undefined) context[key] = value
  const provider = `arn:aws:iam::${ACCOUNT}:oidc-provider/${issuer}`
  const request = new AwsRequestImpl(provider, { resource: ROLE, accountId: ACCOUNT }, ACTION, new RequestContextImpl(context))
  const { result } = authorize({
    request,
    identityPolicies: [],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: policy,
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]),
    },
    serviceSettings: { s3: {} },
  })
  return result === 'Allowed'
}

const load = (policy) => loadPolicy(policy, { name: 'trust policy' })
const list = (value) => (Array.isArray(value) ? value : [value])
const isClaim = (key) => /:(sub|aud)$/.test(key)

// The subjects that a policy names under its keys, also where a subject is written without its prefix.
function namedSubjects(policy) {
  const conditions = policy.Statement.flatMap((statement) => Object.values(statement.Condition ?? {}))
  const named = conditions.flatMap((keys) => Object.entries(keys).filter(([key]) => isClaim(key)).flatMap(([, values]) => list(values)))
  return named.flatMap((value) => [value, account(value)]).map((pattern) => {
    const escaped = pattern.toLowerCase().replace(/[.+^${}()|[\]\\]/g, '\\$&')
    return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
  })
}

// The policy without what is about tokens: who is let in if only the author's other conditions count.
function guardsAlone(policy, provider) {
  const statements = policy.Statement.filter((statement) => statement.Effect === 'Allow').map((statement) => {
    const conditions = Object.entries(statement.Condition ?? {}).map(([operator, keys]) => [
      operator,
      Object.fromEntries(Object.entries(keys).filter(([key]) => !isClaim(key))),
    ])
    return { ...statement, Principal: { Federated: provider }, Action: ACTION, Condition: Object.fromEntries(conditions) }
  })
  return { ...policy, Statement: statements }
}

const hasStrangeOperator = (policy) => JSON.stringify(policy).includes('StringOdd')
const counts = { judged: 0, left_out: 0, corrected: 0, needlessly_undecidable: 0 }
const faults = {}
function fault(kind, detail, ...policies) {
  faults[kind] = (faults[kind] ?? 0) + 1
  if (faults[kind] <= 3) console.log(`${kind}: ${detail}\n${policies.map((policy) => JSON.stringify(policy)).join('\n')}`)
}

let token
for await (const line of createInterface({ input: process.stdin })) {
  const { policy, decision, corrected, issuer, subject, audience } = JSON.parse(line)
  if (issuer) {
    token = { issuer: issuer.replace('https://', ''), subject, audience }
    continue
  }
  if (hasStrangeOperator(policy)) {
    counts.left_out += 1
    continue
  }
  counts.judged += 1
  const original = load(policy)
  const before = WORLDS.map((world) => allows(original, token, world))
  const isAlways = before.every(Boolean)
  const isEver = before.some(Boolean)
  if (decision === 'allows' && !isAlways) fault('allowed too definitely', 'the peer refuses', policy)
  if (['refuses', 'denies'].includes(decision) && isEver) fault('refused too definitely', 'the peer allows', policy)
  if (decision === 'undecidable' && (isAlways || !isEver)) counts.needlessly_undecidable += 1
  if (!corrected) continue

  counts.corrected += 1
  const has = (effect) => policy.Statement.some((statement) => statement.Effect === effect)
  const changed = load(corrected)
  const after = WORLDS.map((world) => allows(changed, token, world))
  if (!after.some(Boolean) && !has('Deny')) fault('correction lets the token in nowhere', '', policy, corrected)
  const guards = load(guardsAlone(policy, `arn:aws:iam::${ACCOUNT}:oidc-provider/${token.issuer}`))
  WORLDS.forEach((world, index) => {
    const isMet = !has('Allow') || allows(guards, token, world)
    if (after[index] && !isMet) fault('guard lost', JSON.stringify(world), policy, corrected)
  })
  const named = namedSubjects(policy)
  for (const issuer of ISSUERS)
    for (const subject of SUBJECTS)
      for (const audience of AUDIENCES)
        for (const world of [WORLDS[0], WORLDS.at(-1)]) {
          const caller = { issuer, subject, audience }
          const [wasIn, isIn] = [allows(original, caller, world), allows(changed, caller, world)]
          if (wasIn && !isIn) fault('subject lost', JSON.stringify(caller), policy, corrected)
          const isMeant = subject === token.subject || named.some((pattern) => pattern.test(subject))
          if (isIn && !wasIn && !isMeant) fault('stranger', JSON.stringify(caller), policy, corrected)
        }
}
console.log(JSON.stringify({ ...counts, faults }))
if (Object.keys(faults).length > 0 || counts.corrected === 0) process.exitCode = 1
