using System.Reflection;
using System.Text;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Cuda;

/// <summary>
/// The kernels' modules in one runtime, each loaded when a kernel of it is first asked for: the PTX of native/cuda, embedded in
/// this assembly under the family's name and compiled by the driver for the GPU it finds.
/// </summary>
internal sealed class CudaModules
{
    private const string ResourcePrefix = "ptx/";

    private readonly AcceleratorRuntime runtime;
    private readonly Dictionary<string, Module> modules = [];

    public CudaModules(AcceleratorRuntime runtime)
    {
        this.runtime = runtime;
        Driver = new CudaDriver(DriverLibraries.Cuda);
    }

    public CudaDriver Driver { get; }

    /// <summary>Why the products of warpgroups are not used in this runtime, empty where they are; null until somebody has compared them.</summary>
    public string? WarpGroupRefusal { get; set; }

    /// <summary>A kernel and how it declares its parameters.</summary>
    /// <param name="device">Named in errors.</param>
    /// <param name="family">Its source, without folder and suffix.</param>
    /// <param name="symbol">Its name.</param>
    /// <param name="sharedBytes">Most dynamic shared memory of a launch.</param>
    /// <exception cref="DeviceException">The driver refuses the module, or it has no such kernel.</exception>
    public (nint Function, PtxEntry Entry) Find(string device, string family, string symbol, int sharedBytes)
    {
        lock (modules)
        {
            runtime.Accelerator.Bind();
            if (!modules.TryGetValue(family, out var module)) modules.Add(family, module = Load(device, family));
            string problem = Driver.GetFunction(module.Handle, symbol, out nint function);
            if (problem.Length == 0 && sharedBytes > 0) problem = Driver.AllowSharedBytes(function, sharedBytes);
            if (problem.Length > 0 || !module.Entries.TryGetValue(symbol, out var entry))
                throw Refused(device, $"kernel {symbol} of module {family} cannot be used: {(problem.Length > 0 ? problem : "its PTX declares no such entry")}");
            return (function, entry);
        }
    }

    private Module Load(string device, string family)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"{ResourcePrefix}{family}.ptx")
            ?? throw Refused(device, $"this program was built without the PTX of kernel module {family}");
        var image = new byte[stream.Length + 1]; // and a zero behind the text
        stream.ReadExactly(image.AsSpan(0, (int)stream.Length));
        string problem = Driver.LoadModule(image, out nint handle);
        if (problem.Length > 0) throw Refused(device, $"the driver refuses kernel module {family}: {problem}");
        return new Module(handle, PtxEntry.Read(Encoding.UTF8.GetString(image)));
    }

    private static DeviceException Refused(string device, string problem) =>
        new(device, problem, "Update the NVIDIA driver to 525 or later, or use another device");

    private sealed record Module(nint Handle, IReadOnlyDictionary<string, PtxEntry> Entries);
}
