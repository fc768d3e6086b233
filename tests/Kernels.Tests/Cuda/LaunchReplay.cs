using System.Runtime.InteropServices;
using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Tests;

/// <summary>Launches of a device's operation with the memory that they found, to be repeated with other kernels.</summary>
/// <param name="Memory">Address and contents of every buffer before the first launch.</param>
/// <param name="Launches">In order.</param>
internal sealed record RecordedLaunches(IReadOnlyList<(nint Address, byte[] Contents)> Memory, IReadOnlyList<CudaLaunch> Launches);

/// <summary>
/// Repeats launches on an instance of the libcuda stand-in of its own: a fault breaks the context of an instance, and the other tests of this
/// process go on with theirs. The library is loaded from a copy, which the loader takes for another one.
/// </summary>
internal sealed unsafe class LaunchReplay : IDisposable
{
    private readonly string file;
    private readonly nint library;
    private readonly CudaDriver driver;
    private readonly Dictionary<string, string> modules = [];
    private readonly Dictionary<string, string> extracts = [];
    private readonly Dictionary<string, nint> functions = [];

    /// <param name="standIn">Path of the stand-in.</param>
    public LaunchReplay(string standIn)
    {
        file = Path.Combine(Path.GetTempPath(), $"libcuda-mutants-{Environment.ProcessId}-{Guid.NewGuid():N}.so");
        File.Copy(standIn, file);
        library = NativeLibrary.Load(file);
        driver = new CudaDriver(library);
        var assembly = typeof(CudaDevice).Assembly;
        foreach (string name in assembly.GetManifestResourceNames().Where(name => name.StartsWith("ptx/", StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            string text = reader.ReadToEnd();
            foreach (string symbol in PtxEntry.Read(text).Keys) modules.TryAdd(symbol, text);
        }
    }

    /// <summary>A kernel of the program as a module of its own.</summary>
    public string PtxOf(string symbol)
    {
        if (!extracts.TryGetValue(symbol, out string? ptx)) extracts.Add(symbol, ptx = PtxMutants.Extract(modules[symbol], symbol));
        return ptx;
    }

    /// <summary>Runs the launches and gives the buffers' contents after them, or null where the stand-in reports a fault.</summary>
    /// <param name="recorded">What to run.</param>
    /// <param name="replaced">A kernel that is taken from another text.</param>
    /// <param name="ptx">That text.</param>
    /// <param name="fault">The report.</param>
    public IReadOnlyList<byte[]>? Run(RecordedLaunches recorded, string replaced, string ptx, out string fault) =>
        Run(recorded, symbol => symbol == replaced ? ptx : PtxOf(symbol), out fault);

    /// <inheritdoc cref="Run(RecordedLaunches, string, string, out string)"/>
    /// <param name="ptxOf">The text of each kernel, by its symbol.</param>
    public IReadOnlyList<byte[]>? Run(RecordedLaunches recorded, Func<string, string> ptxOf, out string fault)
    {
        fault = "";
        var places = recorded.Memory.Select(buffer => (From: buffer.Address, buffer.Contents.Length, To: Place(buffer.Contents))).ToList();
        try
        {
            foreach (var launch in recorded.Launches)
            {
                fault = Launch(launch, ptxOf(launch.Symbol), places);
                if (fault.Length > 0) return null;
            }

            return [.. places.Select(place => Contents(place.To, place.Length))];
        }
        finally
        {
            Forget();
            foreach (var place in places) Call<nint>("cuMemFree_v2", place.To);
        }
    }

    public void Dispose()
    {
        NativeLibrary.Free(library);
        File.Delete(file);
    }

    private string Launch(CudaLaunch launch, string ptx, List<(nint From, int Length, nint To)> places)
    {
        bool ships = ReferenceEquals(ptx, PtxOf(launch.Symbol));
        if (!ships || !functions.TryGetValue(launch.Symbol, out nint function))
        {
            function = Load(launch, ptx);
            if (ships) functions.Add(launch.Symbol, function);
        }

        // Launches of one kernel may take more or less.
        string refused = driver.AllowSharedBytes(function, launch.SharedBytes);
        if (refused.Length > 0) throw new InvalidOperationException($"{launch.Symbol}: {refused}");
        byte[] arguments = Translated(launch.Arguments, places);
        fixed (byte* pointer = arguments)
        {
            int status = driver.Launch(function, launch.Grid, launch.Threads, launch.SharedBytes, 0, pointer, (nuint)arguments.Length);
            if (status == 0) status = Call<nint>("cuStreamSynchronize", 0);
            return status == 0 ? "" : driver.Describe(status);
        }
    }

    /// <exception cref="InvalidOperationException">The text is no PTX: a mutant must be broken in what it does.</exception>
    private nint Load(CudaLaunch launch, string ptx)
    {
        string problem = driver.LoadModule([.. System.Text.Encoding.ASCII.GetBytes(ptx), 0], out nint module);
        nint function = 0;
        if (problem.Length == 0) problem = driver.GetFunction(module, launch.Symbol, out function);
        return problem.Length == 0 ? function : throw new InvalidOperationException($"{launch.Symbol}: {problem}");
    }

    /// <summary>Arguments with every address of a buffer replaced: whatever 8 bytes at a multiple of 8 lie in one.</summary>
    private static byte[] Translated(byte[] arguments, List<(nint From, int Length, nint To)> places)
    {
        byte[] result = [.. arguments];
        foreach (ref long word in MemoryMarshal.Cast<byte, long>(result.AsSpan()))
        {
            foreach (var (from, length, to) in places)
            {
                if (word < from || word >= from + length) continue;
                word += to - from;
                break;
            }
        }

        return result;
    }

    private nint Place(byte[] contents)
    {
        nint address;
        var allocate = (delegate* unmanaged<nint*, nuint, int>)NativeLibrary.GetExport(library, "cuMemAlloc_v2");
        Assert.Equal(0, allocate(&address, (nuint)contents.Length));
        var upload = (delegate* unmanaged<nint, byte*, nuint, int>)NativeLibrary.GetExport(library, "cuMemcpyHtoD_v2");
        fixed (byte* pointer = contents) Assert.Equal(0, upload(address, pointer, (nuint)contents.Length));
        return address;
    }

    private byte[] Contents(nint address, int length)
    {
        var contents = new byte[length];
        var download = (delegate* unmanaged<byte*, nint, nuint, int>)NativeLibrary.GetExport(library, "cuMemcpyDtoH_v2");
        fixed (byte* pointer = contents) Assert.Equal(0, download(pointer, address, (nuint)length));
        return contents;
    }

    /// <summary>A context that ends takes its error along.</summary>
    private void Forget()
    {
        nint context;
        var create = (delegate* unmanaged<nint*, uint, int, int>)NativeLibrary.GetExport(library, "cuCtxCreate_v2");
        Assert.Equal(0, create(&context, 0, 0));
        Assert.Equal(0, Call<nint>("cuCtxDestroy_v2", context));
    }

    private int Call<T>(string name, T argument)
        where T : unmanaged => ((delegate* unmanaged<T, int>)NativeLibrary.GetExport(library, name))(argument);
}
