import type { Part } from '../part.ts';
import { nearest, shown } from '../problem.ts';
import type { Kind, OpenSloObject, Spec } from './schema.ts';

/** The objects of all files by their kinds and names, for those that refer to them. */
export class Catalogue {
  readonly #objects = new Map<Kind, Map<string, Part<OpenSloObject>>>();

  /** Adds an object that has a name; a name that is there already is a problem of the second object. */
  add(kind: Kind, object: Part<OpenSloObject>): void {
    const name = object.at('metadata')?.get('name') ?? null;
    if (name === null) return;
    const named = this.#objects.get(kind) ?? new Map<string, Part<OpenSloObject>>();
    this.#objects.set(kind, named);
    const first = named.get(name);
    if (first === undefined) named.set(name, object);
    else object.error(`the ${kind} ${name} is already defined in ${first.place()}`);
  }

  all<K extends Kind>(kind: K): readonly Part<OpenSloObject<K>>[] {
    return [...(this.#objects.get(kind)?.values() ?? [])] as unknown as Part<OpenSloObject<K>>[];
  }

  find<K extends Kind>(kind: K, name: string): Part<OpenSloObject<K>> | null {
    return (this.#objects.get(kind)?.get(name) as unknown as Part<OpenSloObject<K>> | undefined) ?? null;
  }

  /** The object that a reference names; where there is none, the problem is the reference's. */
  resolve<K extends Kind>(kind: K, reference: Part<string>): Part<OpenSloObject<K>> | null {
    return this.find(kind, reference.value) ?? reference.error(this.#unresolved(kind, reference.value));
  }

  /** As `resolve`, of what is not needed here to know what an SLO means. */
  note(kind: Kind, reference: Part<string>): void {
    if (this.find(kind, reference.value) === null) reference.warning(this.#unresolved(kind, reference.value));
  }

  #unresolved(kind: Kind, name: string): string {
    const meant = nearest(name, [...(this.#objects.get(kind)?.keys() ?? [])]);
    return `there is no ${kind} named ${shown(name)}${meant === null ? ' in these files' : `; did you mean ${meant}?`}`;
  }
}

/** The spec of what is written in place, or of what is referred to instead. */
export function specOf<K extends Kind>(
  kind: K,
  catalogue: Catalogue,
  place: Part<{ spec?: Spec<K> }> | null,
  reference: Part<string> | null,
): Part<Spec<K>> | null {
  if (reference === null) return (place?.at('spec') ?? null) as Part<Spec<K>> | null;
  if (!reference.sound()) return null;
  return (catalogue.resolve(kind, reference)?.at('spec') ?? null) as Part<Spec<K>> | null;
}
