using System.Runtime.InteropServices;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// The two calls of NVTX (NVIDIA's annotations for Nsight and its like) that ranges take. A tool that watches a process names its
/// library in <see cref="InjectionVariable"/>, and NVTX 3, which is a header that C programs compile in, lets it fill in functions; here is
/// what that header does (nvtxDetail/nvtxInit.h and nvtxTypes.h of github.com/NVIDIA/NVTX). Without a tool, NVTX 2's library
/// of toolkits before CUDA 13 will do.
/// </summary>
internal sealed unsafe class NvtxLibrary
{
    public const string InjectionVariable = "NVTX_INJECTION64_PATH";

    private const string Version2 = "libnvToolsExt.so.1";
    private const int Core = 1; // NVTX_CB_MODULE_CORE
    private const int RangePushA = 9, RangePop = 11; // NVTX_CBID_CORE_...
    private const uint Callbacks = 1; // NVTX_ETID_CALLBACKS

    /// <summary>Functions that each module has, by NvtxCallbackModule; ids begin at 1.</summary>
    private static readonly int[] ModuleSizes = [0, 16, 9, 15, 7, 16, 7];

    private static readonly Lazy<NvtxLibrary?> Process = new(() =>
        Environment.GetEnvironmentVariable(InjectionVariable) is { Length: > 0 } tool ? Inject(tool) : Load(Version2));

    /// <summary>For each module the addresses of its slots, which a tool fills; they live as long as the process.</summary>
    private static readonly nint** Tables = AllocateTables();

    private readonly delegate* unmanaged<byte*, int> push;
    private readonly delegate* unmanaged<int> pop;

    private NvtxLibrary(nint push, nint pop)
    {
        this.push = (delegate* unmanaged<byte*, int>)push;
        this.pop = (delegate* unmanaged<int>)pop;
    }

    /// <summary>The process's, or null where no tool watches and NVTX is not installed.</summary>
    public static NvtxLibrary? Find() => Process.Value;

    /// <summary>A tool's functions; null where it cannot be loaded, declines, or takes no ranges.</summary>
    /// <param name="path">Of a library that exports InitializeInjectionNvtx2.</param>
    public static NvtxLibrary? Inject(string path)
    {
        if (!NativeLibrary.TryLoad(path, out nint library) || !NativeLibrary.TryGetExport(library, "InitializeInjectionNvtx2", out nint initialize)) return null;
        int accepted = ((delegate* unmanaged<delegate* unmanaged<uint, void*>, int>)initialize)(&GetExportTable);
        nint push = *(nint*)Tables[Core][RangePushA], pop = *(nint*)Tables[Core][RangePop];
        return accepted == 0 || push == 0 || pop == 0 ? null : new NvtxLibrary(push, pop);
    }

    /// <summary>NVTX 2's functions, or null where there is no such library.</summary>
    public static NvtxLibrary? Load(string file) =>
        NativeLibrary.TryLoad(file, out nint library) && NativeLibrary.TryGetExport(library, "nvtxRangePushA", out nint push)
        && NativeLibrary.TryGetExport(library, "nvtxRangePop", out nint pop)
            ? new NvtxLibrary(push, pop)
            : null;

    /// <summary>Begins a range on this thread.</summary>
    /// <param name="name">UTF-8, zero at its end.</param>
    public void Push(byte* name) => push(name);

    /// <summary>Ends the range that began last on this thread.</summary>
    public void Pop() => pop();

    private static nint** AllocateTables()
    {
        var tables = (nint**)NativeMemory.AllocZeroed((nuint)ModuleSizes.Length, (nuint)sizeof(nint*));
        for (int module = 1; module < ModuleSizes.Length; module++)
        {
            // Slot 0 and the one behind the last are null, as in NVTX.
            int size = ModuleSizes[module];
            tables[module] = (nint*)NativeMemory.AllocZeroed((nuint)(size + 1), (nuint)sizeof(nint));
            var slots = (nint*)NativeMemory.AllocZeroed((nuint)size, (nuint)sizeof(nint));
            for (int id = 1; id < size; id++) tables[module][id] = (nint)(slots + id);
        }

        return tables;
    }

    /// <summary>NvtxExportTableCallbacks; a table that a tool asks for besides is not there.</summary>
    [UnmanagedCallersOnly]
    private static void* GetExportTable(uint id)
    {
        if (id != Callbacks) return null;
        var table = (nint*)NativeMemory.Alloc(2, (nuint)sizeof(nint));
        table[0] = 2 * sizeof(nint);
        table[1] = (nint)(delegate* unmanaged<int, nint**, uint*, int>)&GetModuleFunctionTable;
        return table;
    }

    [UnmanagedCallersOnly]
    private static int GetModuleFunctionTable(int module, nint** table, uint* size)
    {
        if (module < 1 || module >= ModuleSizes.Length) return 0;
        if (table != null) *table = Tables[module];
        if (size != null) *size = (uint)ModuleSizes[module];
        return 1;
    }
}
