using static RepNoise.Kernels.Cpu.Division;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// A chunk of R rows on their way through the head and into a cross-entropy: the inputs, how they are cut, and the memory that
/// the parts share; see <see cref="LinearCrossEntropy"/>. Cuts depend on the shape alone.
/// </summary>
/// <typeparam name="TTile">How tiles are computed.</typeparam>
internal readonly unsafe struct LinearCrossEntropyChunk<TTile>
    where TTile : unmanaged, ITile
{
    /// <summary>Vocabulary of a block: with <see cref="PassRows"/> rows its exponentials are 256 KiB, and so is its part of a narrow head.</summary>
    public const int BlockColumns = 256;

    /// <summary>Rows of a pass of the backward over a block, give or take a strip.</summary>
    public const int PassRows = 256;

    /// <summary>Most rows of a chunk: the head and its gradient pass through memory once a chunk, twice.</summary>
    public const int MaxRows = 512;

    /// <summary>Columns of dX and dWeight that a part of the backward takes.</summary>
    public const int GroupColumns = 512;

    /// <summary>Partial sums of dX, at most, and with it parts of the backward.</summary>
    private const int MaxSlots = 16;

    /// <summary>Most floats of a packed head that is kept from chunk to chunk: 64 MiB, as the logits take.</summary>
    private const long MaxKeptHead = 16L << 20;

    /// <summary>Most elements of an inner product of the forward before its sum goes to memory.</summary>
    private const int MaxInner = 512;

    /// <summary>Exponentials of a chunk from which on they leave the caches before they are read: 16 MiB.</summary>
    private const long MinStreamed = 4L << 20;

    private readonly int* repeats;
    private readonly float* exponentials;
    private readonly float* strips;
    private readonly float* panels;
    private readonly float* max;
    private readonly float* scale;
    private readonly float* slots;
    private readonly float* keptHead;
    private readonly int paddedRows;

    /// <param name="x">(R, C).</param>
    /// <param name="weight">(V, C), the head.</param>
    /// <param name="targets">R token ids.</param>
    /// <param name="repeats">R counts of equal entries, or null for one each.</param>
    /// <param name="factor">Scales the gradients.</param>
    /// <param name="gradients">False for losses alone.</param>
    /// <param name="workspace">R * V floats.</param>
    /// <param name="shared">As many floats as <see cref="SharedLength"/> says, or null to learn that.</param>
    public LinearCrossEntropyChunk(View x, View weight, int* targets, int* repeats, float factor, bool gradients, float* workspace, float* shared)
    {
        (X, Weight, Factor, HasGradients) = (x, weight, factor, gradients);
        Targets = targets;
        this.repeats = repeats;
        exponentials = workspace;
        Blocks = Ceiling(weight.Rows, BlockColumns);
        InnerBlocks = Ceiling(x.Columns, MaxInner);
        Inner = Math.Min(x.Columns, Ceiling(Ceiling(x.Columns, InnerBlocks), TTile.Depth) * TTile.Depth);
        InnerBlocks = Ceiling(x.Columns, Inner);
        Passes = Ceiling(x.Rows, PassRows);
        RowsOfPass = Ceiling(Ceiling(x.Rows, Passes), TTile.MaxRows) * TTile.MaxRows;
        Groups = Ceiling(x.Columns, GroupColumns);
        Slots = Math.Min(Blocks, Math.Max(1, MaxSlots / Groups));
        paddedRows = Ceiling(x.Rows, 16) * 16;

        // First, so that chunks of fewer rows find it in the same place.
        float* at = shared;
        CanKeepHead = KeptHeadLength <= MaxKeptHead;
        keptHead = CanKeepHead ? Take(ref at, KeptHeadLength) : null;
        strips = Take(ref at, StripsLength);
        max = Take(ref at, RowNumbersLength);
        scale = Take(ref at, RowNumbersLength);
        Chosen = Take(ref at, paddedRows);
        panels = gradients ? Take(ref at, PanelsLength) : null;
        slots = gradients ? Take(ref at, (long)Slots * x.Rows * x.Columns) : null;
        SharedLength = at - shared;
    }

    public View X { get; }

    public View Weight { get; }

    public int* Targets { get; }

    public float Factor { get; }

    /// <summary>How many equal entries a row stands for.</summary>
    public int Entries(int row) => repeats is null ? 1 : repeats[row];

    public bool HasGradients { get; }

    /// <summary>True where exponentials are stored past the caches, all but those of a last block that is no whole number of tiles.</summary>
    public bool StreamsExponentials => HasGradients && (long)X.Rows * Weight.Rows >= MinStreamed;

    /// <summary>Floats of memory that the parts share; never less for more rows.</summary>
    public long SharedLength { get; }

    /// <summary>True where <see cref="HeadPanel"/> has memory.</summary>
    public bool CanKeepHead { get; }

    /// <summary>Blocks of the vocabulary.</summary>
    public int Blocks { get; }

    /// <summary>Blocks of C in the forward.</summary>
    public int InnerBlocks { get; }

    /// <summary>Columns of x in one of them.</summary>
    public int Inner { get; }

    /// <summary>Passes of the backward over a block.</summary>
    public int Passes { get; }

    /// <summary>Rows of a pass; the last may have fewer.</summary>
    public int RowsOfPass { get; }

    /// <summary>Most rows of a pass of this chunk or a smaller one.</summary>
    public int RowsOfLargestPass => Ceiling(Math.Min(PassRows, X.Rows), TTile.MaxRows) * TTile.MaxRows;

    /// <summary>Groups of columns in the backward.</summary>
    public int Groups { get; }

    /// <summary>Partial sums of dX.</summary>
    public int Slots { get; }

    /// <summary>Strips of rows.</summary>
    public int Strips => Ceiling(X.Rows, TTile.MaxRows);

    /// <summary>Panels of columns.</summary>
    public int Panels => Ceiling(X.Columns, TTile.Columns);

    /// <summary>R logits of the targets.</summary>
    public float* Chosen { get; }

    /// <summary>Floats of all packed rows of the forward.</summary>
    public long StripsLength => InnerBlocks * Strips * StripLength;

    /// <summary>Floats of all packed rows of the backward.</summary>
    public long PanelsLength => Passes * Panels * PanelLength;

    /// <summary>Floats of a head that is kept packed.</summary>
    public long KeptHeadLength => (long)Blocks * InnerBlocks * HeadPanels * HeadPanelLength;

    /// <summary>Floats of maxima, or of scales, of all blocks.</summary>
    public long RowNumbersLength => (long)Blocks * paddedRows;

    private long StripLength => TTile.RowsLength(TTile.MaxRows, Inner) + TTile.Slack;

    private static int HeadPanels => BlockColumns / TTile.Columns;

    private long HeadPanelLength => TTile.ColumnsLength(Inner) + TTile.Slack;

    private long PanelLength => TTile.ColumnsLength(RowsOfPass) + TTile.Slack;

    /// <summary>Width of a block.</summary>
    public int ColumnsOf(int block) => Math.Min(BlockColumns, Weight.Rows - block * BlockColumns);

    /// <summary>Exponentials of a block, R dense rows of <see cref="ColumnsOf"/>.</summary>
    public float* Exponentials(int block) => exponentials + (long)X.Rows * block * BlockColumns;

    /// <summary>A strip of rows of one block of C, packed as the product's left side.</summary>
    public float* Strip(int strip, int innerBlock) => strips + ((long)innerBlock * Strips + strip) * StripLength;

    /// <summary>Some columns of a pass's rows, packed as the product's right side.</summary>
    public float* Panel(int pass, int panel) => panels + ((long)pass * Panels + panel) * PanelLength;

    /// <summary>A panel of the head that is kept packed, the right side of the forward's product.</summary>
    /// <param name="block">Block of the vocabulary.</param>
    /// <param name="column">First column within the block.</param>
    /// <param name="innerBlock">Block of C.</param>
    public float* HeadPanel(int block, int column, int innerBlock) =>
        keptHead + (((long)block * InnerBlocks + innerBlock) * HeadPanels + column / TTile.Columns) * HeadPanelLength;

    /// <summary>R maxima of a block's logits.</summary>
    public float* Max(int block) => max + (long)block * paddedRows;

    /// <summary>First R sums of a block's exponentials, then what p and the gradient's factor make of them: dz = scale * e.</summary>
    public float* Scale(int block) => scale + (long)block * paddedRows;

    /// <summary>A row of a partial sum of dX.</summary>
    public float* Slot(int slot, int row) => slots + ((long)slot * X.Rows + row) * X.Columns;

    private static float* Take(ref float* at, long length)
    {
        float* area = at;
        at += (length + 15) & ~15L;
        return area;
    }
}
