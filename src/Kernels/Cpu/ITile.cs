namespace RepNoise.Kernels.Cpu;

/// <summary>
/// How a matrix product is computed once its operands are cut into strips: their packed form and the micro-kernel that multiplies two strips.
/// <see cref="MatmulTile{T}"/> does it in float32 registers, <see cref="AmxTile"/> in the processor's tile registers. Nothing but the
/// packing and the micro-kernel knows the form of a packed strip.
/// <para>A strip of A holds up to <see cref="MaxRows"/> rows, a strip of B <see cref="Columns"/> columns, each over one block of K. "Lines" means
/// that a row of A, or a column of B, runs along memory; "across", that it runs across rows of memory.</para>
/// </summary>
internal unsafe interface ITile
{
    /// <summary>Columns of a tile.</summary>
    static abstract int Columns { get; }

    /// <summary>Rows of the highest tile.</summary>
    static abstract int MaxRows { get; }

    /// <summary>What a block of K is a multiple of, so that no place in a strip is padding.</summary>
    static abstract int Depth { get; }

    /// <summary>Floats that packing may write past the end of a strip.</summary>
    static abstract int Slack { get; }

    /// <summary>Height of the strips that so many rows are cut into; the last may have fewer rows.</summary>
    static abstract int Height(int rows);

    /// <summary>Floats of a packed strip of A.</summary>
    static abstract long RowsLength(int height, int k);

    /// <summary>Floats of a packed strip of B.</summary>
    static abstract long ColumnsLength(int k);

    /// <summary>Packs rows of A that run along memory: row i is <c>source[i * stride + k]</c>, times <c>factors[i]</c> where there are factors.</summary>
    static abstract void PackRowLines(float* source, long stride, int rows, int k, float* strip, float* factors = null);

    /// <summary>Packs rows of A that run across memory: row i is <c>source[k * stride + i]</c>, times <c>factors[k]</c> where there are factors.</summary>
    static abstract void PackRowsAcross(float* source, long stride, int rows, int k, float* strip, float* factors = null);

    /// <summary>Packs columns of B that run along memory: column j is <c>source[j * stride + k]</c>.</summary>
    static abstract void PackColumnLines(float* source, long stride, int columns, int k, float* strip);

    /// <summary>Packs columns of B that run across memory: column j is <c>source[k * stride + j]</c>.</summary>
    static abstract void PackColumnsAcross(float* source, long stride, int columns, int k, float* strip);

    /// <summary>Prepares the thread for tiles; before the first one of a part.</summary>
    static abstract void Begin();

    /// <summary>After the last tile of a part.</summary>
    static abstract void End();

    /// <summary>
    /// A tile of C, of which 1 to <see cref="MaxRows"/> rows and 1 to <see cref="Columns"/> columns exist: C = or += A B, plus a bias row where one is given.
    /// Fetches what later tiles read meanwhile.
    /// </summary>
    static abstract void RunPart(
        int rows, int columns, long k, float* a, float* b, float* c, long stride, bool accumulate, float* bias, Ahead ahead = default);
}
