import type { DefinitionDocument } from '../document.ts';
import type { Found } from '../found.ts';
import { Part } from '../part.ts';
import { anyOf, shown } from '../problem.ts';
import { type Checked, checkDocument } from '../schema.ts';
import { readPolicy } from './alerting.ts';
import { readAlpha } from './alpha.ts';
import { Catalogue } from './catalogue.ts';
import { KINDS, type Kind, OBJECTS, type OpenSloObject } from './schema.ts';
import { readSlo } from './slo.ts';

/** OpenSLO: objects that refer to each other, over all files. */
export function readOpenSlo(documents: readonly DefinitionDocument[]): Found[] {
  const catalogue = new Catalogue();
  const slos: Part<OpenSloObject<'SLO'>>[] = [];
  const found: Found[] = [];
  for (const document of documents) {
    const version = textAt(document, 'apiVersion');
    if (version === 'openslo/v1alpha') found.push(...readAlpha(document));
    else if (version === 'openslo/v1') readObject(document, catalogue, slos);
    else document.error(['apiVersion'], `must be openslo/v1 or openslo/v1alpha, got ${shown(version)}`);
  }
  for (const policy of catalogue.all('AlertPolicy')) {
    const spec = policy.at('spec');
    if (spec !== null) readPolicy(spec, catalogue);
  }
  return [...found, ...slos.flatMap((slo) => readSlo(slo, catalogue))];
}

function readObject(document: DefinitionDocument, catalogue: Catalogue, slos: Part<OpenSloObject<'SLO'>>[]): void {
  const kind = KINDS.find((known) => known === textAt(document, 'kind'));
  if (kind === undefined) {
    refuseKind(document);
    return;
  }
  const checked = checkDocument(OBJECTS[kind], document);
  if (kind === 'SLO') slos.push(Part.whole(checked as Checked<OpenSloObject<'SLO'>>));
  else catalogue.add(kind, Part.whole(checked as Checked<OpenSloObject<Kind>>));
}

function refuseKind(document: DefinitionDocument): void {
  if (document.at(['kind']) === null) document.missing(['kind'], 'is required');
  else document.error(['kind'], `must be ${anyOf(KINDS)}, got ${shown(textAt(document, 'kind'))}`);
}

function textAt(document: DefinitionDocument, key: string): string {
  const tree = document.at([key]);
  return tree?.kind === 'scalar' ? tree.text : '';
}
