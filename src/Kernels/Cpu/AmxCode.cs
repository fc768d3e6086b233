using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// The processor's tile registers (Intel AMX): whether they may be used, and the machine code that uses them, as .NET has no intrinsics for them.
/// The code is assembled from amx-tile.s. Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.
/// </summary>
internal static unsafe partial class AmxCode
{
    private const int SystemCallPermission = 158; // arch_prctl
    private const int RequestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM
    private const int TileData = 18; // the state that the permission is for

    private const int Read = 1;
    private const int Write = 2;
    private const int Execute = 4;
    private const int PrivateAnonymous = 0x22;
    private const int Page = 4096;

    private static readonly byte* Code;
    private static readonly byte* Configuration;

    static AmxCode()
    {
        Missing = Prepare(out Code, out Configuration);
        if (Missing is null && !Agrees()) Missing = "its tile registers compute wrong products";
    }

    /// <summary>Why the tile registers cannot be used, or null where they can.</summary>
    public static string? Missing { get; }

    /// <summary>Prepares the calling thread's tile registers, until <see cref="End"/>.</summary>
    public static void Begin() => ((delegate* unmanaged[SuppressGCTransition]<byte*, void>)(Code + BeginAt))(Configuration);

    /// <summary>Gives the tile registers back.</summary>
    public static void End() => ((delegate* unmanaged[SuppressGCTransition]<byte*, void>)(Code + EndAt))(null);

    /// <summary>A tile of 32 x 32. A few microseconds, so the garbage collector may wait for it.</summary>
    public static void Whole(in AmxCall call)
    {
        fixed (AmxCall* arguments = &call) ((delegate* unmanaged[SuppressGCTransition]<AmxCall*, void>)(Code + WholeAt))(arguments);
    }

    /// <summary>The first 16 rows of a tile of 32 x 32.</summary>
    public static void Half(in AmxCall call)
    {
        fixed (AmxCall* arguments = &call) ((delegate* unmanaged[SuppressGCTransition]<AmxCall*, void>)(Code + HalfAt))(arguments);
    }

    private static string? Prepare(out byte* code, out byte* configuration)
    {
        code = configuration = null;
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !X86Base.IsSupported || !HasInstructions()) return "this processor lacks its instructions";
        if (!OperatingSystem.IsLinux()) return "it is written for Linux, which grants the tile registers on request";
        if (!Avx512F.IsSupported || !Avx512BW.IsSupported) return "packing for it needs 512-bit registers";
        if (SystemCall(SystemCallPermission, RequestPermission, TileData) != 0) return "the operating system does not grant the tile registers";

        // Two pages: code that cannot be written and what the registers are to look like, which cannot be executed.
        void* pages = Map(null, 2 * Page, Read | Write, PrivateAnonymous, -1, 0);
        if (pages == (void*)-1) return "the operating system gives no page for its code";
        code = (byte*)pages;
        configuration = code + Page;
        Instructions.CopyTo(new Span<byte>(code, Page));
        configuration[0] = 1; // eight registers
        for (int tile = 0; tile < 8; tile++)
        {
            ((ushort*)(configuration + 16))[tile] = AmxTile.LineBytes;
            configuration[48 + tile] = AmxTile.TileLines;
        }

        return Protect(code, Page, Read | Execute) == 0 ? null : "the operating system does not let its code run";
    }

    private static bool HasInstructions()
    {
        const int Bfloat16 = 1 << 22, Tiles = 1 << 24;
        return X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Edx & (Bfloat16 | Tiles)) == (Bfloat16 | Tiles);
    }

    /// <summary>A product of small whole numbers, which is exact in any order: a virtual machine may promise registers that it does not keep.</summary>
    private static bool Agrees()
    {
        const int Rows = 32, Columns = 32, K = 70;
        float* memory = stackalloc float[(Rows + Columns) * K];
        float* a = memory, b = memory + Rows * K;
        for (int i = 0; i < Rows * K; i++) a[i] = i % 13 - 6;
        for (int i = 0; i < Columns * K; i++) b[i] = i % 7 * 1025 - 3000;
        float* c = stackalloc float[Rows * Columns];
        long lengthA = AmxTile.RowsLength(Rows, K), lengthB = AmxTile.ColumnsLength(K);
        float* strips = (float*)NativeMemory.AlignedAlloc((nuint)((lengthA + lengthB) * sizeof(float)), 64);
        AmxTile.PackRowLines(a, K, Rows, K, strips, null);
        AmxTile.PackColumnLines(b, K, Columns, K, strips + lengthA);
        Begin();
        AmxTile.RunPart(Rows, Columns, K, strips, strips + lengthA, c, Columns, false, null);
        End();
        NativeMemory.AlignedFree(strips);
        for (int row = 0; row < Rows; row++)
        {
            for (int column = 0; column < Columns; column++)
            {
                float sum = 0;
                for (int i = 0; i < K; i++) sum += a[row * K + i] * b[column * K + i];
                if (c[row * Columns + column] != sum) return false;
            }
        }

        return true;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, long first, long second);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint length, int protection);
}

/// <summary>What the machine code of a tile reads; the order of the fields is amx-tile.s'.</summary>
internal unsafe struct AmxCall
{
    /// <summary>Blocks of 32 elements of K.</summary>
    public long Blocks;

    /// <summary>Packed strip of A.</summary>
    public float* A;

    /// <summary>Packed strip of B.</summary>
    public float* B;

    /// <summary>Where the tile goes.</summary>
    public float* Target;

    /// <summary>Bytes from row to row there.</summary>
    public long TargetStride;

    /// <summary>A line that a later tile reads.</summary>
    public float* Ahead;

    /// <summary>Bytes from that line to the next one.</summary>
    public long AheadStep;

    /// <summary>The next row of C to fetch.</summary>
    public float* Expected;

    /// <summary>Bytes from row to row of C.</summary>
    public long ExpectedStride;

    /// <summary>The row of C behind the last.</summary>
    public float* ExpectedEnd;
}
