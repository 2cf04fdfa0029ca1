const wireTypes = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/**
 * Encodes a protocol buffer message (https://protobuf.dev/programming-guides/encoding/), as far as event files need.
 * Fields must be added in ascending order. As in `proto3`, zeros are omitted.
 */
export class MessageEncoder {
  readonly #bytes: number[] = [];

  /** int64 and enums. @param value a safe integer from 0 */
  integer(field: number, value: number): this {
    if (value === 0) return this;
    return this.#key(field, 'varint').#varint(value);
  }

  double(field: number, value: number): this {
    // Minus zero is not the default value.
    if (Object.is(value, 0)) return this;
    return this.#key(field, 'fixed64').#append(doubles([value]));
  }

  /** Adds a float even if it is zero, as for a member of a `oneof`. */
  chosenFloat(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#key(field, 'fixed32').#append(bytes);
  }

  packedDoubles(field: number, values: readonly number[]): this {
    return values.length === 0 ? this : this.bytes(field, doubles(values));
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, message: MessageEncoder): this {
    return this.bytes(field, message.encode());
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#key(field, 'lengthDelimited').#varint(value.length).#append(value);
  }

  encode(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #key(field: number, type: keyof typeof wireTypes): this {
    return this.#varint(field * 8 + wireTypes[type]);
  }

  #varint(value: number): this {
    let rest = value;
    // Bitwise operators would truncate steps to 32 bits.
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes.push((rest % 128) + 128);
    this.#bytes.push(rest);
    return this;
  }

  #append(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }
}

function doubles(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setFloat64(8 * index, value, true);
  });
  return bytes;
}
