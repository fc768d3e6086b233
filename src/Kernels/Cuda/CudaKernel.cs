using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RepNoise.Kernels.Cuda;

/// <summary>A kernel that takes the fields of a struct, in their order and layout, as its parameters.</summary>
/// <typeparam name="TArguments">A struct of numbers, pointers and such structs; compared with the PTX when the kernel is loaded.</typeparam>
internal sealed unsafe class CudaKernel<TArguments>
    where TArguments : unmanaged
{
    private readonly CudaContext context;
    private readonly nint function;
    private readonly int argumentBytes;
    private readonly int threads;

    /// <param name="context">Where it runs.</param>
    /// <param name="family">Its module.</param>
    /// <param name="symbol">Its name.</param>
    /// <param name="threads">Threads of a block, or the most of one, as its source says.</param>
    /// <param name="sharedBytes">Most dynamic shared memory of a launch.</param>
    /// <exception cref="DeviceException">It cannot be loaded, or takes other parameters.</exception>
    public CudaKernel(CudaContext context, string family, string symbol, int threads, int sharedBytes = 0)
    {
        (this.context, Symbol, this.threads) = (context, symbol, threads);
        context.Graphs?.Interrupt(); // loading is no work of a stream
        (function, var entry) = context.Modules.Find(context.DeviceName, family, symbol, sharedBytes);
        CheckParameters(entry);
        argumentBytes = entry.ParameterBytes;
    }

    public string Symbol { get; }

    /// <summary>Queues the kernel; nothing where the grid is empty.</summary>
    /// <param name="grid">Blocks.</param>
    /// <param name="arguments">Its parameters.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    /// <param name="blockThreads">Threads of a block where they are fewer than the most it was made for.</param>
    /// <exception cref="DeviceException">The driver refuses, or an earlier operation failed.</exception>
    public void Launch(Grid grid, in TArguments arguments, int sharedBytes = 0, int blockThreads = 0)
    {
        if (grid.IsEmpty) return;
        fixed (TArguments* pointer = &arguments)
            context.Launch(function, Symbol, grid, blockThreads > 0 ? blockThreads : threads, sharedBytes, pointer, (nuint)argumentBytes);
    }

    private void CheckParameters(PtxEntry entry)
    {
        var found = entry.Parameters;
        var fields = typeof(TArguments).GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
        PtxParameter[] expected =
        [
            .. fields.Select(field => new PtxParameter((int)Marshal.OffsetOf<TArguments>(field.Name), Marshal.SizeOf(field.FieldType)))
                .OrderBy(field => field.Offset),
        ];
        if (found.SequenceEqual(expected) && Unsafe.SizeOf<TArguments>() >= entry.ParameterBytes) return;
        throw new DeviceException(
            context.DeviceName,
            $"kernel {Symbol} takes parameters at {Text(found)} but {typeof(TArguments).Name} has fields at {Text(expected)}",
            "Rebuild the program with the PTX of its own sources");
    }

    private static string Text(IEnumerable<PtxParameter> parameters) => string.Join(", ", parameters.Select(p => $"{p.Offset}+{p.Size}"));
}
