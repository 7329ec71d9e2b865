import { Type } from 'typebox';
import { foreign, text, textMap } from './schema.ts';

/** What the formats of other tools have in common. */

/** `metadata` of a Kubernetes object; what the cluster adds to it is known and of no use here. */
export const KubernetesMetadata = foreign({
  name: text('id'),
  namespace: Type.Optional(text('id')),
  labels: Type.Optional(textMap()),
  annotations: Type.Optional(textMap()),
  ...Object.fromEntries(
    [
      'creationTimestamp',
      'deletionGracePeriodSeconds',
      'deletionTimestamp',
      'finalizers',
      'generateName',
      'generation',
      'managedFields',
      'ownerReferences',
      'resourceVersion',
      'selfLink',
      'uid',
    ].map((key) => [key, Type.Optional(Type.Unknown())]),
  ),
});

type Texts = Readonly<Record<string, string>>;

/** Who is told of it. */
export function ownerOf(labels: Texts): string {
  return labels['owner'] ?? labels['team'] ?? '';
}

export function runbookOf(annotations: Texts): string {
  return annotations['runbook'] ?? annotations['runbook_url'] ?? '';
}
