using System.Diagnostics;
using System.Runtime.InteropServices;
using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels.Tests;

/// <summary>NVTX ranges, as two tools of a few lines of C see them: one that NVTX 3 injects, one with the calls of NVTX 2.</summary>
public sealed class CudaNvtxTests : IDisposable
{
    private const string Log = """
        static char text[4096];
        static void add(const char* word) { strncat(text, word, sizeof text - strlen(text) - 2); strcat(text, " "); }
        static int push(const char* name) { add(name); return 0; }
        static int pop(void) { add("."); return 0; }
        const char* seen(void) { return text; }

        """;

    private const string Injected = "#include <string.h>\n#include <stddef.h>\n" + Log + """
        typedef void (*function)(void);
        typedef int (*get_module)(int, function***, unsigned*);
        struct callbacks { size_t size; get_module get; };
        int InitializeInjectionNvtx2(const void* (*get_table)(unsigned)) {
          const struct callbacks* table = get_table(1);
          function** core;
          unsigned size;
          if (get_table(2) || !table || table->size < sizeof *table) return 0;
          for (int module = 1; module <= 6; ++module)
            if (!table->get(module, &core, &size) || core[0] || core[size] || !core[1]) return 0;
          if (table->get(7, &core, &size) || !table->get(1, &core, &size) || size != 16) return 0;
          *core[9] = (function)push;
          *core[11] = (function)pop;
          return 1;
        }
        """;

    private const string Called = "#include <string.h>\n" + Log + """
        int nvtxRangePushA(const char* name) { return push(name); }
        int nvtxRangePop(void) { return pop(); }
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("repnoise-nvtx-").FullName;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_tool_sees_operations_within_phases(bool isInjected)
    {
        string path = Compile(isInjected ? Injected : Called);
        var library = isInjected ? NvtxLibrary.Inject(path) : NvtxLibrary.Load(path);
        Assert.NotNull(library);
        using var device = ReferenceDevices.Create("reference");
        device.Tracer = new NvtxRanges(library);
        var log = new Names();
        Work(device);
        device.Observer = log;
        Work(device);
        device.Observer = null;
        Work(device);
        Assert.Equal(string.Concat(Enumerable.Repeat("forward layer 3 Fill . . AddScaled . . ", 3)), Seen(path));
        Assert.Equal("forward layer Fill AddScaled", string.Join(' ', log.Seen)); // the observer is told as if nobody else were
        Assert.Equal(4, log.Ends);
    }

    [Fact]
    public void Without_a_tool_there_are_no_ranges()
    {
        Assert.Null(NvtxLibrary.Inject(Path.Combine(folder, "absent.so")));
        Assert.Null(NvtxLibrary.Inject(Compile(Called))); // no tool of NVTX 3
        Assert.Null(NvtxLibrary.Load("libnvToolsExt-absent.so"));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static void Work(Device device)
    {
        using var tensor = device.Allocate(BufferKind.State, 8, "test");
        using var forward = device.Scope("forward");
        using (device.Scope("layer", 3)) device.Fill(Tensor.Of(tensor, 1, 8), 1);
        device.AddScaled(Tensor.Of(tensor, 1, 8), Tensor.Of(tensor, 1, 8), 1);
    }

    private string Compile(string source)
    {
        string path = Path.Combine(folder, $"{Path.GetRandomFileName()}.so"), text = Path.ChangeExtension(path, ".c");
        File.WriteAllText(text, source);
        try
        {
            using var compiler = Process.Start(new ProcessStartInfo("cc", ["-shared", "-fPIC", "-o", path, text]))!;
            compiler.WaitForExit();
            Assert.Equal(0, compiler.ExitCode);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("there is no C compiler, cc, to make a tool with");
        }

        return path;
    }

    private static unsafe string Seen(string path)
    {
        var seen = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(NativeLibrary.Load(path), "seen");
        return System.Text.Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(seen()));
    }

    private sealed class Names : IOperationObserver
    {
        public List<string> Seen { get; } = [];

        public int Ends { get; private set; }

        public void BeginOperation(string operation, OpCost cost) => Seen.Add(operation);

        public void BeginScope(string name, int index) => Seen.Add(name);

        public void End() => Ends++;
    }
}
