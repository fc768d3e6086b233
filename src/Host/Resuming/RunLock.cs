using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Resuming;

/// <summary>
/// <c>run.lock</c> in a run's output: held while the run writes there, gone when it ends. The operating system frees it when the
/// process dies, however it dies, so a file that is left behind blocks nobody. Not kept on Windows, or where the file system has
/// no locks.
/// </summary>
internal sealed partial class RunLock : IDisposable
{
    public const string FileName = "run.lock";
    private readonly string path;
    private readonly bool madeFolder;
    private readonly SafeFileHandle? handle;

    private RunLock(string path, bool madeFolder, SafeFileHandle? handle) => (this.path, this.madeFolder, this.handle) = (path, madeFolder, handle);

    /// <summary>Takes the lock of an output folder, which is made where it does not exist.</summary>
    /// <exception cref="InputException">Another run holds it: the message names its process; or the folder cannot be written.</exception>
    public static RunLock Take(string output)
    {
        bool made = !Directory.Exists(output);
        try
        {
            Directory.CreateDirectory(output);
            string path = Path.Combine(output, FileName);
            return new RunLock(path, made, OperatingSystem.IsWindows() ? null : Lock(path));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException(output, $"it cannot be written ({exception.Message.TrimEnd('.')})", "a folder that can be made and written to",
                "choose another folder, or free space and permissions", exception);
        }
    }

    /// <summary>Refuses an output folder that another run writes to; touches nothing where there is none.</summary>
    /// <exception cref="InputException">Another run holds the lock.</exception>
    public static void CheckFree(string output)
    {
        if (File.Exists(Path.Combine(output, FileName))) Take(output).Dispose();
    }

    /// <summary>Frees the lock and removes its file, and the folder too where the run made it and put nothing there.</summary>
    public void Dispose()
    {
        if (handle is not null)
        {
            // Removed while it is held: whoever opened it before finds below that it is not in the folder any more.
            try
            {
                File.Delete(path);
                if (madeFolder && !Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!).Any()) Directory.Delete(Path.GetDirectoryName(path)!);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // The file system has become read-only, or the folder is gone; either way there is nothing to free.
            }

            handle.Dispose();
        }
    }

    private static SafeFileHandle Lock(string path)
    {
        while (true)
        {
            // Not File.OpenHandle: it takes locks of its own, which would keep another process from reading who holds this one.
            const int ReadWrite = 2, Create = 0x40, CloseOnExec = 0x80000, OwnerWrites = 0x1b4;
            int descriptor = Open(path, OperatingSystem.IsLinux() ? ReadWrite | Create | CloseOnExec : ReadWrite | 0x200, OwnerWrites);
            if (descriptor < 0)
                throw new IOException($"{path}: cannot be opened, {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
            var handle = new SafeFileHandle(descriptor, ownsHandle: true);
            try
            {
                const int Exclusive = 2, NonBlocking = 4, LinuxWouldBlock = 11, BsdWouldBlock = 35;
                if (Flock(descriptor, Exclusive | NonBlocking) != 0 && Marshal.GetLastPInvokeError() is LinuxWouldBlock or BsdWouldBlock)
                    throw Held(path, handle);
                byte[] owner = Encoding.UTF8.GetBytes(Owner());
                RandomAccess.SetLength(handle, 0);
                RandomAccess.Write(handle, owner, 0);
                if (File.Exists(path) && ReadAll(path).AsSpan().SequenceEqual(owner)) return handle;
            }
            catch
            {
                handle.Dispose();
                throw;
            }

            // Its last owner removed the file between our opening and locking it.
            handle.Dispose();
        }
    }

    private static string Owner() => string.Create(
        CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}, since {DateTime.UtcNow:yyyy-MM-dd HH:mm:ss.fffffff} UTC\n");

    private static InputException Held(string path, SafeFileHandle handle)
    {
        var text = new byte[256];
        string owner = Encoding.UTF8.GetString(text, 0, RandomAccess.Read(handle, text, 0)).Split('.', '\n')[0];
        return new InputException(
            Path.GetDirectoryName(path)!, $"another run writes there ({(owner.Length > 0 ? owner : "its process is starting")})", "a folder of its own for each run",
            "wait for that run to end, or choose another folder");
    }

    private static byte[] ReadAll(string path)
    {
        int descriptor = Open(path, 0, 0);
        if (descriptor < 0) return [];
        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        var text = new byte[256];
        return text[..RandomAccess.Read(handle, text, 0)];
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Flock(int descriptor, int operation);
}
