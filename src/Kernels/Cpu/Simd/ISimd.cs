namespace RepNoise.Kernels.Cpu;

/// <summary>
/// One SIMD register of a fixed width, so that every kernel is written once and compiled per width: <see cref="Lanes512"/>,
/// <see cref="Lanes256"/> and <see cref="Lanes128"/>. The bits are read as float32, int32 or float64 lanes; operations on
/// other lanes than float32 say so in their names.
/// <para>Rounding: everything is exact IEEE arithmetic but <see cref="MultiplyAdd"/>, which fuses where the hardware does.</para>
/// </summary>
internal unsafe interface ISimd<TSelf>
    where TSelf : unmanaged, ISimd<TSelf>
{
    /// <summary>float32 lanes: 16, 8 or 4.</summary>
    static abstract int Width { get; }

    /// <summary>The numbers 0 to Width - 1 as int32.</summary>
    static abstract TSelf Iota { get; }

    static abstract TSelf Create(float value);

    static abstract TSelf CreateInt(int value);

    static abstract TSelf Load(float* source);

    /// <summary>The first <paramref name="count"/> lanes, 1 to Width - 1, from memory that ends there; the others are zero.</summary>
    static abstract TSelf LoadPartial(float* source, int count);

    static abstract void Store(TSelf value, float* target);

    /// <summary>Writes the first <paramref name="count"/> lanes, 1 to Width - 1, and nothing else.</summary>
    static abstract void StorePartial(TSelf value, float* target, int count);

    static abstract TSelf operator +(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a, TSelf b);

    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator /(TSelf a, TSelf b);

    static abstract TSelf operator &(TSelf a, TSelf b);

    static abstract TSelf operator ^(TSelf a, TSelf b);

    /// <summary>a * b + c, fused where the hardware can.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>
    /// A row of a tile of products: x += a[at] u and y += a[at] v, fused where the hardware can. Sums by reference let the JIT keep
    /// each in one register; through a return value it computes into the register of a dying factor and copies that over: one move
    /// for every product of a loop.
    /// </summary>
    static abstract void AddRow(float* a, int at, TSelf u, TSelf v, ref TSelf x, ref TSelf y);

    /// <summary>
    /// Two rows of a tile, the second with a[at + 1], which 512-bit products read by themselves: an instruction less for a load more.
    /// The core has loads to spare for every other row, not for all; instructions are what it lacks when a neighbour shares it.
    /// <paramref name="again"/> is a once more, by another name: the JIT would load one address once.
    /// </summary>
    static abstract void AddRows(float* a, float* again, int at, TSelf u, TSelf v, ref TSelf x0, ref TSelf y0, ref TSelf x1, ref TSelf y1);

    /// <summary>a * b + c, rounded once on every machine.</summary>
    static abstract TSelf FusedMultiplyAdd(TSelf a, TSelf b, TSelf c);

    static abstract TSelf Sqrt(TSelf value);

    /// <summary>IEEE minimum: NaN wins.</summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>IEEE maximum: NaN wins.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>value within low and high, two numbers; NaN stays. Cheaper than <see cref="Min"/> and <see cref="Max"/>.</summary>
    static abstract TSelf Clamp(TSelf value, TSelf low, TSelf high);

    /// <summary>value * 2^exponent, rounded once; exponent holds whole numbers, -160 to 130.</summary>
    static abstract TSelf ScaleByPowerOfTwo(TSelf value, TSelf exponent);

    static abstract float MaxAcross(TSelf value);

    static abstract float SumAcross(TSelf value);

    /// <summary>Bitwise choice: a where mask is set, else b.</summary>
    static abstract TSelf Select(TSelf mask, TSelf a, TSelf b);

    static abstract TSelf AddInt(TSelf a, TSelf b);

    static abstract TSelf SubtractInt(TSelf a, TSelf b);

    static abstract TSelf ShiftLeft(TSelf value, int bits);

    static abstract TSelf ShiftRightLogical(TSelf value, int bits);

    static abstract TSelf ShiftRightArithmetic(TSelf value, int bits);

    /// <summary>int32 a >= b, all bits set where true.</summary>
    static abstract TSelf GreaterOrEqualInt(TSelf a, TSelf b);

    /// <summary>int32 to float32.</summary>
    static abstract TSelf ToFloat(TSelf value);

    /// <summary>Low and high words of the 64-bit products of uint32 lanes.</summary>
    static abstract (TSelf Low, TSelf High) MultiplyWide(TSelf a, TSelf b);

    /// <summary>The lower half of the float32 lanes as float64.</summary>
    static abstract TSelf WidenLower(TSelf value);

    /// <summary>The upper half of the float32 lanes as float64.</summary>
    static abstract TSelf WidenUpper(TSelf value);

    static abstract TSelf AddDouble(TSelf a, TSelf b);

    static abstract TSelf MultiplyAddDouble(TSelf a, TSelf b, TSelf c);

    static abstract double SumDouble(TSelf value);

    /// <summary>
    /// Transposes a Width x Width block: <c>target[k * targetStride + i] = source[lines[i] + k]</c>, k ascending, every store
    /// Width wide (with a smaller target stride the next store overwrites the surplus).
    /// </summary>
    static abstract void Transpose(float* source, long* lines, float* target, long targetStride);

    /// <summary><see cref="Transpose"/> with a factor for each line: <c>target[k * targetStride + i] = factors[i] * source[lines[i] + k]</c>.</summary>
    static abstract void TransposeScaled(TSelf factors, float* source, long* lines, float* target, long targetStride);

    /// <summary>The 128-bit part of a register.</summary>
    static abstract System.Runtime.Intrinsics.Vector128<float> Quarter(TSelf value, int index);
}
