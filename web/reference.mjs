// Writes docs/api/, the reference of the library, from its types and their comments.
//
//   node reference.mjs           writes the pages
//   node reference.mjs --check   writes nothing; fails when a page is not what the types say
//
// A public name that stands on no page, a public member without a comment, and a type that is used but not exported are errors:
// the reference is complete, or it is not written.
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { ENTRIES, LIKE, PAGES } from './reference_pages.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const OUT = join(HERE, '../docs/api');
const SOURCES = join(HERE, 'library/src');
const NOTE = '<!-- Made from the types by `npm run reference` in web/: change the comments there, not this page. -->';

/** The pages, name to text. Throws an error that lists everything that is missing. */
export function reference() {
  const { config } = ts.readConfigFile(join(HERE, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, HERE);
  const files = ENTRIES.map(({ file }) => join(HERE, file));
  const program = ts.createProgram([...files, join(HERE, 'wasm.d.ts')], options);
  const writer = new Writer(program.getTypeChecker());
  for (const [at, { module }] of ENTRIES.entries()) writer.take(module, program.getSourceFile(files[at]));
  const pages = new Map(PAGES.map((page) => [page.file, writer.page(page)]));
  pages.set('README.md', writer.index());
  writer.finish();
  return pages;
}

class Writer {
  #checker;
  /** Public names: the symbol that each stands for, and the module that exports it. */
  #names = new Map();
  #placed = new Set();
  #faults = new Set();

  constructor(checker) {
    this.#checker = checker;
  }

  take(module, source) {
    for (const exported of this.#checker.getExportsOfModule(this.#checker.getSymbolAtLocation(source))) {
      this.#names.set(exported.name, { symbol: this.#resolved(exported), module });
    }
  }

  page({ title, text, names }) {
    const parts = names.map((name) => {
      const found = this.#names.get(name);
      if (!found) {
        this.#faults.add(`${name} is on a page but not exported`);
        return '';
      }
      if (this.#placed.has(name)) this.#faults.add(`${name} is on two pages`);
      this.#placed.add(name);
      return this.#entry(name, found.symbol);
    });
    return `${NOTE}\n\n# ${title}\n\n${text}\n\n[All pages](README.md)\n\n${parts.join('')}`.trimEnd().concat('\n');
  }

  index() {
    const lines = PAGES.map(({ file, title, text, names }) => `## [${title}](${file})\n\n${text}\n\n`
      + names.map((name) => {
        const symbol = this.#names.get(name)?.symbol;
        return `- [\`${name}\`](${file}#${anchor(name, names)})${symbol ? summary(this.#comment(symbol)) : ''}\n`;
      }).join(''));
    const modules = ENTRIES.map(({ module, text }) => `- \`${module}\`: ${text}\n`).join('');
    return `${NOTE}\n\n# The library, name by name\n\nWhat can be imported, with every method, option and event. How to begin: `
      + `[the library](../../web/library/README.md), [promises](../promises.md), [from JsSIP](../migrating-from-jssip.md).\n\n${modules}\n${lines.join('\n')}`;
  }

  finish() {
    for (const [name, { module }] of this.#names) {
      if (!this.#placed.has(name)) this.#faults.add(`${name} of ${module} is on no page (reference_pages.mjs)`);
    }
    if (this.#faults.size > 0) throw new Error(`the reference is not complete:\n  ${[...this.#faults].sort().join('\n  ')}`);
  }

  #entry(name, symbol) {
    const comment = this.#described(symbol, name);
    const { flags } = symbol;
    if (flags & ts.SymbolFlags.Class) return `## ${name}\n\n${comment}${this.#class(name, symbol)}`;
    if (flags & ts.SymbolFlags.Function) return `## ${name}\n\n${this.#functions(name, symbol)}${comment}`;
    if (flags & ts.SymbolFlags.ValueModule) return `## ${name}\n\n${comment}${this.#namespace(name, symbol)}`;
    if (flags & ts.SymbolFlags.Interface) return `## ${name}\n\n${comment}${this.#members(name, this.#checker.getDeclaredTypeOfSymbol(symbol))}`;
    if (flags & ts.SymbolFlags.TypeAlias) return `## ${name}\n\n${comment}${this.#alias(name, symbol)}`;
    return `## ${name}\n\n${comment}${this.#constant(name, symbol)}`;
  }

  #class(name, symbol) {
    const declaration = symbol.valueDeclaration;
    const parts = [];
    const base = declaration.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword)?.types[0];
    if (base) {
      this.#uses(name, base);
      parts.push(`Extends \`${base.getText()}\`.\n\n`);
    }
    for (const member of declaration.members) {
      if (this.#hidden(member)) continue;
      if (ts.isConstructorDeclaration(member)) parts.push(this.#member(`new ${name}`, name, member, ''));
      else if (member.name && !ts.isSetAccessor(member)) parts.push(this.#member(`${member.name.getText()}`, name, member, modifiers(member)));
    }
    return parts.join('');
  }

  #member(shown, owner, member, before) {
    const isCallable = ts.isConstructorDeclaration(member) || ts.isMethodDeclaration(member);
    const signature = isCallable
      ? this.#signature(shown, owner, member)
      : `${shown}: ${this.#typeOf(owner, member)}`;
    const symbol = ts.isConstructorDeclaration(member) ? undefined : this.#checker.getSymbolAtLocation(member.name);
    const comment = symbol
      ? this.#described(symbol, `${owner}.${shown}`)
      : this.#fromTags(ts.getJSDocCommentsAndTags(member), member);
    const heading = isCallable && !ts.isConstructorDeclaration(member) ? `${shown}()` : shown;
    return `### ${before.includes('static') ? `${owner}.` : ''}${heading}\n\n${code(`${before}${signature}`)}${comment}`;
  }

  #functions(name, symbol) {
    return symbol.declarations.filter(ts.isFunctionDeclaration).map((each) => code(this.#signature(name, name, each))).join('');
  }

  #namespace(name, symbol) {
    return this.#checker.getExportsOfModule(symbol).filter((each) => each.flags & ts.SymbolFlags.Value).map((each) => {
      const member = this.#resolved(each);
      const comment = this.#described(member, `${name}.${each.name}`);
      const declaration = member.valueDeclaration;
      const text = ts.isFunctionDeclaration(declaration)
        ? this.#signature(each.name, name, declaration)
        : ts.isClassDeclaration(declaration) ? `class ${each.name} extends ${declaration.heritageClauses?.[0]?.types[0]?.getText() ?? 'Object'}` : each.name;
      const fields = ts.isClassDeclaration(declaration)
        ? declaration.members.filter((field) => !this.#hidden(field) && ts.isPropertyDeclaration(field)).map((field) => `    ${modifiers(field)}${field.name.getText()}: ${this.#typeOf(name, field)};\n`).join('')
        : '';
      return `### ${name}.${each.name}\n\n${code(fields ? `${text} {\n${fields}}` : text)}${comment}`;
    }).join('');
  }

  /** Options and events, what is inherited among them: one line each. */
  #members(name, type) {
    const properties = type.getProperties().filter((each) => !each.declarations?.some((declaration) => this.#hidden(declaration)));
    if (properties.length === 0) return '';
    const isEvents = name.endsWith('Events');
    const lines = properties.map((each) => {
      const declaration = each.declarations?.[0];
      const optional = each.flags & ts.SymbolFlags.Optional ? '?' : '';
      const shown = `${each.name.includes(':') ? `'${each.name}'` : each.name}${optional}`;
      const about = this.#described(each, `${name}.${each.name}`).trim().replaceAll('\n\n', ' ').replaceAll('\n', ' ');
      if (declaration && ts.isMethodSignature(declaration)) return `- \`${this.#signature(shown, name, declaration)}\`  \n  ${about}\n`;
      const text = declaration ? this.#typeOf(name, declaration) : this.#checker.typeToString(this.#checker.getTypeOfSymbol(each));
      return `- \`${shown}${isEvents ? `${payload(text)}` : `: ${text}`}\`  \n  ${about}\n`;
    });
    return `${lines.join('')}\n`;
  }

  #alias(name, symbol) {
    const declaration = symbol.declarations.find(ts.isTypeAliasDeclaration);
    const type = this.#checker.getDeclaredTypeOfSymbol(symbol);
    const isOptions = !declaration.typeParameters && type.getProperties().length > 0 && (type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) !== 0 && type.getCallSignatures().length === 0 && type.getConstructSignatures().length === 0;
    if (isOptions) return this.#members(name, type);
    this.#uses(name, declaration.type);
    return code(`type ${name}${generics(declaration)} = ${oneLine(declaration.type.getText())}`);
  }

  #constant(name, symbol) {
    const declaration = symbol.valueDeclaration;
    const initializer = declaration.initializer && ts.isAsExpression(declaration.initializer) ? declaration.initializer.expression : declaration.initializer;
    if (!initializer || !ts.isObjectLiteralExpression(initializer)) return code(`const ${name}: ${this.#typeOf(name, declaration)}`);
    if (initializer.properties.some(ts.isMethodDeclaration)) {
      return initializer.properties.map((each) => `### ${name}.${each.name.getText()}()\n\n${code(this.#signature(each.name.getText(), name, each))}${this.#described(this.#checker.getSymbolAtLocation(each.name), `${name}.${each.name.getText()}`)}`).join('');
    }
    const type = this.#checker.getTypeOfSymbol(symbol);
    const lines = type.getProperties().map((each) => `    ${each.name}: ${this.#checker.typeToString(this.#checker.getTypeOfSymbol(each), undefined, ts.TypeFormatFlags.NoTruncation).replaceAll('readonly ', '').replaceAll('; }', ' }')};`);
    return code(`const ${name}: {\n${lines.join('\n')}\n}`);
  }

  #signature(shown, owner, declaration) {
    const parameters = declaration.parameters.map((parameter) => {
      const name = ts.isIdentifier(parameter.name) ? parameter.name.getText() : 'options';
      const mark = parameter.questionToken || parameter.initializer ? '?' : '';
      return `${parameter.dotDotDotToken ? '...' : ''}${name}${mark}: ${this.#typeOf(owner, parameter)}`;
    });
    if (ts.isConstructorDeclaration(declaration)) return `${shown}(${parameters.join(', ')})`;
    return `${shown}${generics(declaration)}(${parameters.join(', ')}): ${this.#returnType(owner, declaration)}`;
  }

  #returnType(owner, declaration) {
    if (declaration.type) return this.#written(owner, declaration.type);
    return this.#checker.typeToString(this.#checker.getReturnTypeOfSignature(this.#checker.getSignatureFromDeclaration(declaration)));
  }

  #typeOf(owner, declaration) {
    if (declaration.type) return this.#written(owner, declaration.type);
    return this.#checker.typeToString(this.#checker.getTypeAtLocation(declaration), undefined, ts.TypeFormatFlags.NoTruncation).replaceAll('; }', ' }');
  }

  #written(owner, type) {
    this.#uses(owner, type);
    return oneLine(type.getText());
  }

  /** Every type of ours that a public one is made of must be public, too. */
  #uses(owner, node) {
    const visit = (each) => {
      if (ts.isIdentifier(each) && (ts.isTypeReferenceNode(each.parent) || ts.isExpressionWithTypeArguments(each.parent))) {
        const symbol = this.#checker.getSymbolAtLocation(each);
        const resolved = symbol && this.#resolved(symbol);
        const ours = resolved?.declarations?.some((declaration) => declaration.getSourceFile().fileName.startsWith(SOURCES) && !ts.isTypeParameterDeclaration(declaration));
        if (ours && ![...this.#names.values()].some(({ symbol: known }) => known === resolved)) this.#faults.add(`${each.text}, used by ${owner}, is not exported`);
      }
      ts.forEachChild(each, visit);
    };
    visit(node);
  }

  /** The comment as Markdown, with what is thrown. */
  #described(symbol, name) {
    const text = this.#comment(symbol) || this.#borrowed(name);
    const own = symbol.declarations?.some((each) => each.getSourceFile().fileName.startsWith(HERE));
    if (own && text === '' && this.#throws(symbol) === '' && name !== undefined) this.#faults.add(`${name} has no comment`);
    return [text, this.#parameters(symbol), this.#throws(symbol)].filter((part) => part !== '').map((part) => `${part}\n\n`).join('');
  }

  #borrowed(name) {
    const [owner, member] = name?.split('.') ?? [];
    const like = this.#names.get(LIKE[owner])?.symbol;
    const found = like && member && this.#checker.getDeclaredTypeOfSymbol(like).getProperty(member);
    return found ? this.#comment(found) : '';
  }

  #comment(symbol) {
    if (symbol.flags & ts.SymbolFlags.ValueModule) return fileComment(symbol.valueDeclaration.getSourceFile());
    return linked(ts.displayPartsToString(symbol.getDocumentationComment(this.#checker)));
  }

  #parameters(symbol) {
    return symbol.getJsDocTags(this.#checker).filter(({ name }) => name === 'param').map(({ text }) => `- \`${text[0].text}\`: ${linked(ts.displayPartsToString(text.slice(2)))}`).join('\n');
  }

  #throws(symbol) {
    return symbol.getJsDocTags(this.#checker).filter(({ name }) => name === 'throws').map(({ text }) => `Throws ${linked(ts.displayPartsToString(text))}`).join('\n\n');
  }

  #fromTags(tags, member) {
    const text = tags.flatMap((each) => {
      if (ts.isJSDoc(each)) {
        const inner = (each.tags ?? []).flatMap((tag) => {
          const words = ts.getTextOfJSDocComment(tag.comment) ?? '';
          if (tag.tagName.text === 'throws') return [`Throws ${tag.getText().replace(/^@throws\s*/, '').replace(/\s*\n\s*\*\s*/g, ' ').trim()}`];
          return tag.tagName.text === 'param' ? [`- \`${tag.name.getText()}\`: ${words}`] : [];
        });
        return [ts.getTextOfJSDocComment(each.comment) ?? '', ...inner];
      }
      return [];
    }).filter((part) => part !== '');
    if (text.length === 0 && member.parameters.length > 0) this.#faults.add(`the constructor of ${member.parent.name.text} has no comment`);
    return text.map((part) => `${linked(part)}\n\n`).join('');
  }

  #hidden(node) {
    if (node.name && (ts.isPrivateIdentifier(node.name) || node.name.getText().startsWith('['))) return true;
    const flags = ts.getCombinedModifierFlags(node);
    if (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) return true;
    return ts.getJSDocTags(node).some((tag) => tag.tagName.text === 'internal');
  }

  #resolved(symbol) {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }
}

/** An event's listener: `[event: {..}]` is `(event: {..})`. */
function payload(tuple) {
  return tuple.startsWith('[') ? `(${tuple.slice(1, -1)})` : `: ${tuple}`;
}

function modifiers(member) {
  const flags = ts.getCombinedModifierFlags(member);
  const isReadonly = flags & ts.ModifierFlags.Readonly || (ts.isGetAccessor(member) && !member.parent.members.some((each) => ts.isSetAccessor(each) && each.name.getText() === member.name.getText()));
  return `${flags & ts.ModifierFlags.Static ? 'static ' : ''}${isReadonly ? 'readonly ' : ''}`;
}

function generics(declaration) {
  const parameters = declaration.typeParameters;
  return parameters ? `<${parameters.map((each) => each.getText()).join(', ')}>` : '';
}

function code(text) {
  return `\`\`\`ts\n${text}\n\`\`\`\n\n`;
}

/** A type as it stands in the source, its comments left out, on one line. */
function oneLine(text) {
  return text.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/\s+/g, ' ').replace(/^\| /, '').replace(/; \}/g, ' }').replace(/, \]/g, ']').replace(/\[ /g, '[').trim();
}

function linked(text) {
  return text.replace(/\{@link\s+([^}\s]+)\s*\}/g, '`$1`').trim();
}

/** What the file says of itself, in its first lines. */
function fileComment(file) {
  return (/^\/\*\*([\s\S]*?)\*\//.exec(file.text)?.[1] ?? '').replace(/^\s*\*? ?/gm, '').trim();
}

function summary(comment) {
  const first = /^[\s\S]*?[.:](?=\s|$)/.exec(comment)?.[0] ?? comment;
  return first === '' ? '' : `: ${first.replace(/\s+/g, ' ').replace(/:$/, '.')}`;
}

/** As Markdown viewers make them of headings: the second of the same letters gets a number. */
function anchor(name, names) {
  const twins = names.slice(0, names.indexOf(name)).filter((each) => each.toLowerCase() === name.toLowerCase());
  return `${name.toLowerCase()}${twins.length > 0 ? `-${twins.length}` : ''}`;
}

async function main(check) {
  const pages = reference();
  const stale = [];
  await mkdir(OUT, { recursive: true });
  for (const [file, text] of pages) {
    const path = join(OUT, file);
    const present = await readFile(path, 'utf8').catch(() => undefined);
    if (present === text) continue;
    stale.push(file);
    if (!check) await writeFile(path, text);
  }
  for (const file of await readdir(OUT)) {
    if (pages.has(file)) continue;
    stale.push(file);
    if (!check) await rm(join(OUT, file));
  }
  if (check && stale.length > 0) {
    throw new Error(`${stale.map((file) => relative(process.cwd(), join(OUT, file))).join(', ')}: not what the types say; run "npm run reference" in web/`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(process.argv.includes('--check')).catch((error) => {
    console.error(`reference: ${error.message}`);
    process.exitCode = 1;
  });
}
